"""How many runs of a Glue job may go on at once; MiniStack drops ExecutionProperty, so its source is read."""

import json
import logging
from collections.abc import Callable, Mapping
from typing import Any

import yaml
from botocore.exceptions import ClientError

logger = logging.getLogger(__name__)

JOB_TYPE = "AWS::Glue::Job"
DEFAULT_LIMIT = 1
"""Glue's own default of MaxConcurrentRuns."""


class _TemplateLoader(yaml.SafeLoader):
    """YAML with CloudFormation's tags: `!Ref x` becomes `{"Ref": x}`, and so do the others."""


def _tagged(loader: yaml.SafeLoader, tag: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        return {tag: loader.construct_scalar(node)}
    if isinstance(node, yaml.SequenceNode):
        return {tag: loader.construct_sequence(node, deep=True)}
    return {tag: loader.construct_mapping(node, deep=True) if isinstance(node, yaml.MappingNode) else None}


_TemplateLoader.add_multi_constructor("!", _tagged)


class JobConcurrency:
    """MaxConcurrentRuns of jobs, as CreateJob, UpdateJob or the job's CloudFormation stack declares it."""

    def __init__(self, client: Callable[[str], Any]) -> None:
        """Know of no job yet; `client` makes a boto3 client of the gateway for a service's name."""
        self._client = client
        self._declared: dict[str, int] = {}

    def declare(self, job_name: str, definition: Mapping[str, Any]) -> None:
        """Remember what a CreateJob or UpdateJob says; UpdateJob replaces the whole definition."""
        stated = definition.get("ExecutionProperty", {}).get("MaxConcurrentRuns")
        self._declared[job_name] = int(stated or DEFAULT_LIMIT)

    def limit(self, job_name: str) -> int:
        """Most runs at once."""
        if job_name in self._declared:
            return self._declared[job_name]
        try:
            return self._from_stack(job_name)
        except (ClientError, yaml.YAMLError) as reason:
            logger.warning("MaxConcurrentRuns of Glue job %s is taken for 1: %s", job_name, reason)
            return DEFAULT_LIMIT

    def _from_stack(self, job_name: str) -> int:
        """The limit in the stack that made the job; MiniStack can't look a stack up by its resource."""
        cloudformation = self._client("cloudformation")
        for stack in cloudformation.describe_stacks()["Stacks"]:
            resources = cloudformation.describe_stack_resources(StackName=stack["StackName"])[
                "StackResources"
            ]
            for resource in resources:
                if (resource["ResourceType"], resource.get("PhysicalResourceId")) == (JOB_TYPE, job_name):
                    return self._in_template(stack, resource["LogicalResourceId"])
        return DEFAULT_LIMIT

    def _in_template(self, stack: Mapping[str, Any], logical_id: str) -> int:
        answer = self._client("cloudformation").get_template(StackName=stack["StackName"])
        parameters = {row["ParameterKey"]: row["ParameterValue"] for row in stack.get("Parameters", [])}
        return stated_limit(read_template(answer["TemplateBody"]), logical_id, parameters)


def read_template(body: str | dict[str, Any]) -> dict[str, Any]:
    """A template as GetTemplate gives it: an object, JSON text or YAML text."""
    if not isinstance(body, str):
        return body
    if body.lstrip().startswith("{"):
        return dict(json.loads(body))
    return dict(yaml.load(body, Loader=_TemplateLoader) or {})  # noqa: S506 - it is a SafeLoader


def stated_limit(template: Mapping[str, Any], logical_id: str, parameters: Mapping[str, str]) -> int:
    """MaxConcurrentRuns of a job in a template: a number, or a Ref to a parameter; the default otherwise."""
    resource = template.get("Resources", {}).get(logical_id, {})
    stated = resource.get("Properties", {}).get("ExecutionProperty", {}).get("MaxConcurrentRuns")
    if isinstance(stated, dict):
        stated = parameters.get(str(stated.get("Ref")))
    return int(stated) if str(stated or "").isdigit() else DEFAULT_LIMIT
