"""Evaluates a CloudFormation template as an account would with AWS::LanguageExtensions, up to what it makes.

The transform resolves functions over parameters and mappings everywhere, also in a resource whose condition
is false, and in the branch of an Fn::If that is not taken (cloudformation-coverage-roadmap#1573,
cfn-language-discussion#159). What only a made resource can answer becomes a word in angle brackets.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

ACCOUNT = "<account>"
PSEUDO = {
    "AWS::AccountId": ACCOUNT,
    "AWS::Partition": "aws",
    "AWS::Region": "eu-central-1",
    "AWS::StackName": "<stack>",
    "AWS::StackId": "<stack id>",
    "AWS::URLSuffix": "amazonaws.com",
}
ZONES = ["eu-central-1a", "eu-central-1b", "eu-central-1c"]
_LOOP = "Fn::ForEach::"
_ABSENT: Any = object()
"""What `AWS::NoValue` leaves."""


class TemplateError(ValueError):
    """CloudFormation would refuse the change set."""


class TemplateLoader(yaml.SafeLoader):
    """YAML with CloudFormation's short forms: `!Sub x` is {"Fn::Sub": x}."""


def short_form(loader: yaml.SafeLoader, tag: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    return {tag if tag in ("Ref", "Condition") else f"Fn::{tag}": value}


TemplateLoader.add_multi_constructor("!", short_form)


def parsed(text: str) -> dict[str, Any]:
    return yaml.load(text, Loader=TemplateLoader)  # noqa: S506 - a SafeLoader


@dataclass(frozen=True)
class Evaluated:
    """What a template makes with its parameters: each resource it has there, and its outputs."""

    resources: dict[str, dict[str, Any]]
    outputs: dict[str, Any]

    def of_type(self, kind: str) -> dict[str, dict[str, Any]]:
        """The properties of each resource of a type, by its logical id."""
        return {key: it["Properties"] for key, it in self.resources.items() if it["Type"] == kind}

    def statements(self) -> list[tuple[str, dict[str, Any]]]:
        """Every statement of every policy, with the logical id of what it belongs to; actions and resources
        are lists."""
        found = []
        for key, resource in self.resources.items():
            properties = resource.get("Properties", {})
            documents = [properties.get("PolicyDocument"), properties.get("KeyPolicy")]
            documents += [policy["PolicyDocument"] for policy in properties.get("Policies", [])]
            documents.append(properties.get("AssumeRolePolicyDocument"))
            for statement in (s for document in documents if document for s in document["Statement"]):
                lists = {name: _listed(statement.get(name, [])) for name in ("Action", "Resource")}
                found.append((key, statement | lists))
        return found


def evaluate(template: Mapping[str, Any], given: Mapping[str, str] | None = None) -> Evaluated:
    """Evaluate a parsed template with these parameters, and the defaults of the others.

    Raises:
        TemplateError: CloudFormation would refuse it, and why.
    """
    return _Evaluation(template, given or {}).run()


class _Evaluation:
    def __init__(self, template: Mapping[str, Any], given: Mapping[str, str]) -> None:
        self.template = template
        declared = template.get("Parameters", {})
        if unknown := set(given) - set(declared):
            raise TemplateError(f"parameters that are not declared: {sorted(unknown)}")
        self.values = PSEUDO | {name: _parameter(name, row, given) for name, row in declared.items()}
        self.conditions: dict[str, bool] = {}

    def run(self) -> Evaluated:
        self._rules()
        for name in self.template.get("Conditions", {}):
            self.condition(name)
        resources = self.expanded(self.template["Resources"])
        self.known = set(resources) | set(self.values)
        made = {}
        for key, resource in resources.items():
            resolved = self.value(resource)
            if self.condition(resource["Condition"]) if "Condition" in resource else True:
                made[key] = resolved
        outputs = {}
        for key, output in self.template.get("Outputs", {}).items():
            resolved = self.value(output)
            if self.condition(output["Condition"]) if "Condition" in output else True:
                outputs[key] = resolved["Value"]
        return Evaluated(made, outputs)

    def _rules(self) -> None:
        for name, rule in self.template.get("Rules", {}).items():
            if self.truth(rule.get("RuleCondition", {"Fn::Equals": ["", ""]})):
                for each in rule["Assertions"]:
                    if not self.truth(each["Assert"]):
                        raise TemplateError(f"rule {name}: {each['AssertDescription']}")

    def condition(self, name: str) -> bool:
        if name not in self.conditions:
            self.conditions[name] = self.truth(self.template["Conditions"][name])
        return self.conditions[name]

    def truth(self, expression: dict[str, Any]) -> bool:
        ((function, arguments),) = expression.items()
        if function == "Condition":
            return self.condition(arguments)
        if function == "Fn::Equals":
            left, right = (str(self.value(each)) for each in arguments)
            return left == right
        truths = [self.truth(each) for each in arguments]
        return {"Fn::And": all(truths), "Fn::Or": any(truths), "Fn::Not": not truths[0]}[function]

    def expanded(self, resources: Mapping[str, Any]) -> dict[str, Any]:
        """The resources, with each loop's in its place."""
        found: dict[str, Any] = {}
        for key, body in resources.items():
            if not key.startswith(_LOOP):
                found[key] = body
                continue
            identifier, collection, fragment = body
            for item in self.value(collection):
                for name, resource in fragment.items():
                    found[name.replace(f"${{{identifier}}}", item)] = _bound(resource, identifier, item)
        return found

    def value(self, node: Any) -> Any:
        if isinstance(node, list):
            return [it for it in map(self.value, node) if it is not _ABSENT]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            ((function, arguments),) = node.items()
            if function == "Ref":
                return self.reference(arguments)
            if function.startswith("Fn::"):
                return getattr(self, "fn_" + function.removeprefix("Fn::").lower())(arguments)
        resolved = {key: self.value(it) for key, it in node.items()}
        return {key: it for key, it in resolved.items() if it is not _ABSENT}

    def reference(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return _ABSENT
        if name in self.values:
            return self.values[name]
        return self.attribute(name)

    def attribute(self, name: str) -> str:
        if name.partition(".")[0] not in self.known:
            raise TemplateError(f"unresolved resource dependencies [{name}]")
        return f"<{name}>"

    def fn_getatt(self, arguments: Any) -> str:
        return self.attribute(arguments if isinstance(arguments, str) else ".".join(arguments))

    def fn_if(self, arguments: list[Any]) -> Any:
        condition, *branches = arguments
        taken, other = map(self.value, branches)
        return taken if self.condition(condition) else other

    def fn_sub(self, arguments: Any) -> str:
        text, names = (arguments, {}) if isinstance(arguments, str) else arguments
        own = {name: self.value(it) for name, it in names.items()}

        def filled(match: re.Match[str]) -> str:
            name = match[1]
            return str(own[name] if name in own else self.reference(name))

        return re.sub(r"\$\{([^!}]+)\}", filled, text)

    def fn_join(self, arguments: list[Any]) -> str:
        separator, items = arguments
        return str(separator).join(map(str, self.value(items)))

    def fn_split(self, arguments: list[Any]) -> list[str]:
        separator, text = arguments
        return str(self.value(text)).split(separator)

    def fn_select(self, arguments: list[Any]) -> Any:
        index, items = int(self.value(arguments[0])), self.value(arguments[1])
        if not 0 <= index < len(items):
            raise TemplateError(f"Fn::Select cannot select nonexistent value at index {index}")
        return items[index]

    def fn_findinmap(self, arguments: list[Any]) -> Any:
        name, first, second = (self.value(it) for it in arguments)
        return self.template["Mappings"][name][first][second]

    def fn_getazs(self, _region: Any) -> list[str]:
        return ZONES

    def fn_cidr(self, arguments: list[Any]) -> list[str]:
        block, count, _ = (self.value(it) for it in arguments)
        return [f"<{block}#{number}>" for number in range(int(count))]


def _parameter(name: str, row: Mapping[str, Any], given: Mapping[str, str]) -> str:
    """A parameter's value, which has to be one it can have."""
    if name not in given and "Default" not in row:
        raise TemplateError(f"parameter {name} must have a value")
    value = str(given.get(name, row.get("Default")))
    allowed = [str(it) for it in row.get("AllowedValues", [value])]
    if (
        value not in allowed
        or not re.fullmatch(row.get("AllowedPattern", ".*"), value)
        or len(value) > row.get("MaxLength", len(value))
        or (row["Type"] == "Number" and float(value) < row.get("MinValue", float(value)))
    ):
        raise TemplateError(f"parameter {name} cannot be {value!r}")
    return value


def _bound(node: Any, identifier: str, item: str) -> Any:
    """A loop's body for one item: a Ref to the identifier, and its name in the string of an Fn::Sub."""
    if isinstance(node, list):
        return [_bound(it, identifier, item) for it in node]
    if not isinstance(node, dict):
        return node
    if node == {"Ref": identifier}:
        return item
    return {
        key: it.replace(f"${{{identifier}}}", item)
        if key == "Fn::Sub" and isinstance(it, str)
        else _bound(it, identifier, item)
        for key, it in node.items()
    }


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
