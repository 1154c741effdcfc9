"""Deploys the platform: its stack, its Glue programs, the warehouse's secret and schema, the lake's tables.

Every step can be repeated at any time and does only what is missing. On a laptop the endpoint forgets the
stack at every stop while its buckets and objects stay, so a deployment adopts buckets that are already there.
"""

import contextlib
import hashlib
import io
import json
import secrets
import uuid
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from botocore.exceptions import ClientError, NoCredentialsError
from tenacity import RetryError, Retrying, retry_if_not_result, stop_after_delay, wait_exponential

import glue_jobs
from airline_platform.errors import AirlineError, StackUnavailable
from airline_platform.settings import Settings
from resources.aws.client import make_client, reaching

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.literals import ChangeSetTypeType
    from mypy_boto3_cloudformation.type_defs import (
        CreateChangeSetInputTypeDef,
        ParameterTypeDef,
        ResourceToImportTypeDef,
        StackEventTypeDef,
        StackTypeDef,
    )
    from mypy_boto3_s3.client import S3Client

REPOSITORY = Path(__file__).parents[2]
"""Root of the checkout the distribution is installed from (editable; there is no other way to install it)."""

TEMPLATE = REPOSITORY / "infra" / "airline.yaml"

BUCKETS = {"LandingBucket": "landing_bucket", "LakeBucket": "lake_bucket", "AuditBucket": "audit_bucket"}
"""Logical id in the template → the setting that names it, for the resources that outlive a stack."""

PROGRAMS_PREFIX = "glue_jobs/"
"""Where the lake bucket keeps the programs Glue runs."""

TRAVELLING = ("contract", "feeds", "files")
"""Packages of `airline_platform` that Glue jobs import, of the standard library alone."""

PROGRAM_PACKAGE = "airline_glue.zip"
"""What `--extra-py-files` names in the template."""

_NOTHING_TO_DO = ("didn't contain changes", "No updates are to be performed")
_NEVER_BEGUN = ("REVIEW_IN_PROGRESS", "DELETE_COMPLETE")
_BEYOND_UPDATE = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED")

Progress = Callable[[str], None]
_Seen = TypeVar("_Seen")


@dataclass(frozen=True)
class StackResult:
    """What happened to the CloudFormation stack.

    Args:
        change: Whether there was anything to do.
        adopted: Buckets that were there before the stack and now belong to it.
        outputs: The template's outputs, by name.
    """

    change: Literal["created", "updated", "unchanged"]
    adopted: tuple[str, ...]
    outputs: Mapping[str, str]


@dataclass(frozen=True)
class DeployResult:
    """What a deployment changed.

    Args:
        stack: The CloudFormation stack.
        uploaded: Keys of the Glue programs that were new or different.
    """

    stack: StackResult
    uploaded: tuple[str, ...]


def _silent(_message: str) -> None:
    """Tell nobody."""


def deploy(
    settings: Settings,
    *,
    warehouse: Mapping[str, Any] | None = None,
    customer_key: str | None = None,
    parameters: Mapping[str, str] | None = None,
    on_progress: Progress = _silent,
) -> DeployResult:
    """Bring everything the platform needs up to date, in the order in which the parts need each other.

    Args:
        settings: Where to deploy, and under which name.
        warehouse: engine, host, port, dbname, username and password, to be stored as the warehouse's
            secret; None leaves the stored secret as it is.
        customer_key: Key customers are hashed with, for a laptop, whose secrets are forgotten; None leaves
            the stored one, or makes one. Another key would make every customer another one.
        parameters: Template parameters by name, `AlertEmail` for one. What is left out keeps the value the
            stack has, or the template's default; `Name`, `Stage`, `PeopleDays` and `Trigger` are the
            settings', and on a laptop `WarehouseJdbcUrl` is the warehouse's.
        on_progress: Called with a line about what is being done.

    Raises:
        StackUnavailable: The endpoint or the warehouse does not answer.
        AirlineError: CloudFormation refused or rolled back, with its reasons.
    """
    from assets.schema import TABLES  # noqa: PLC0415
    from resources.catalog import ensure_catalog_tables  # noqa: PLC0415 - not to deploy the stack alone
    from resources.warehouse.session import apply_schema  # noqa: PLC0415

    own = {"WarehouseJdbcUrl": jdbc_url(warehouse)} if warehouse and settings.stage == "local" else {}
    stack = deploy_stack(settings, parameters={**own, **(parameters or {})}, on_progress=on_progress)
    uploaded = upload_programs(settings, on_progress=on_progress)
    if warehouse is not None:
        store_warehouse_secret(settings, warehouse)
    ensure_customer_key(settings, customer_key)
    on_progress("tables of the Data Catalog")
    ensure_catalog_tables(settings)
    on_progress("warehouse schema")
    apply_schema(settings, TABLES, on_progress=on_progress)
    if own:
        on_progress("warehouse tables in the Data Catalog")
        start_warehouse_crawler(settings)
    return DeployResult(stack, uploaded)


# --- The stack ----------------------------------------------------------------------------------------------


def deploy_stack(
    settings: Settings, *, parameters: Mapping[str, str] | None = None, on_progress: Progress = _silent
) -> StackResult:
    """Create the stack of `infra/airline.yaml`, or bring it up to date.

    A stack that failed to be created is removed and created again. Buckets that exist while the stack does
    not are imported with all they hold, and then configured like new ones.

    Raises:
        StackUnavailable: The endpoint does not answer, or there are no credentials for it.
        AirlineError: A bucket's name is taken, or CloudFormation refused or rolled back, with its reasons.
    """
    stack = _Stack(settings, on_progress)
    existed = stack.is_there()
    adopted = () if existed else stack.adopt(_existing_buckets(settings))
    changed = stack.update(parameters or {}) if existed or adopted else stack.create(parameters or {})
    change: Literal["created", "updated", "unchanged"] = "created"
    if existed:
        change = "updated" if changed else "unchanged"
    on_progress(f"stack {settings.name} {change}")
    return StackResult(change, adopted, stack.outputs())


class _Stack:
    """The platform's CloudFormation stack. Every change is a change set, so that none says so at once."""

    def __init__(self, settings: Settings, on_progress: Progress) -> None:
        self._settings = settings
        self._name = settings.name
        self._on_progress = on_progress
        self._client = make_client(settings, "cloudformation")

    def is_there(self) -> bool:
        """Whether the stack can be updated; waits for who changes it, clears away what never came to be."""
        stack = self._describe()
        status = _status(stack)
        if stack is None or status in _NEVER_BEGUN:
            return False
        if status.endswith("_IN_PROGRESS"):
            self._on_progress(f"stack {self._name}: waiting, it is {status}")
            status = self._settle(stack["StackId"], after=next(self._events(stack["StackId"]), None))
        if status in _BEYOND_UPDATE:
            self._on_progress(f"stack {self._name}: removing what failed ({status})")
            self._client.delete_stack(StackName=self._name)
            self._settle(stack["StackId"])
            return False
        return status not in _NEVER_BEGUN

    def create(self, parameters: Mapping[str, str]) -> bool:
        """Make the stack from nothing."""
        return self._change("CREATE", TEMPLATE.read_text(), self._given(parameters))

    def update(self, parameters: Mapping[str, str]) -> bool:
        """Bring the stack up to date; False when it was. Parameters not given keep their values."""
        template = TEMPLATE.read_text()
        given = self._given(parameters)
        stack = self._describe()
        has = {p["ParameterKey"] for p in stack.get("Parameters", [])} if stack else set()
        declared = self._client.get_template_summary(TemplateBody=template)["Parameters"]
        kept = has & {p["ParameterKey"] for p in declared} - {p["ParameterKey"] for p in given}
        previous: list[ParameterTypeDef] = [
            {"ParameterKey": key, "UsePreviousValue": True} for key in sorted(kept)
        ]
        return self._change("UPDATE", template, given + previous)

    def adopt(self, buckets: Mapping[str, str]) -> tuple[str, ...]:
        """Make a stack of existing buckets (logical id → name), leaving them and their objects untouched.

        CloudFormation adopts a resource only as it is: `update` then turns versioning and events on.
        """
        if not buckets:
            return ()
        self._on_progress(f"stack {self._name}: adopting {', '.join(buckets.values())}")
        resources: list[ResourceToImportTypeDef] = [
            {
                "ResourceType": "AWS::S3::Bucket",
                "LogicalResourceId": logical_id,
                "ResourceIdentifier": {"BucketName": name},
            }
            for logical_id, name in buckets.items()
        ]
        self._change("IMPORT", _bare_buckets(buckets), [], resources)
        return tuple(buckets.values())

    def outputs(self) -> dict[str, str]:
        """The stack's outputs by name."""
        stack = self._describe()
        return {o["OutputKey"]: o["OutputValue"] for o in stack.get("Outputs", [])} if stack else {}

    def _given(self, parameters: Mapping[str, str]) -> "list[ParameterTypeDef]":
        settings = self._settings
        given = {
            "Name": self._name,
            "Stage": settings.stage,
            "PeopleDays": str(settings.people_days),
            "Trigger": settings.trigger,
            **parameters,
        }
        return [{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()]

    def _describe(self, stack: str | None = None) -> "StackTypeDef | None":
        try:
            with reaching(self._settings):
                return self._client.describe_stacks(StackName=stack or self._name)["Stacks"][0]
        except ClientError as error:
            if "does not exist" in error.response["Error"]["Message"]:
                return None
            raise
        except NoCredentialsError as error:
            raise StackUnavailable(
                f"AWS credentials were expected for {self._settings.region} and none were found",
                remedy="Log in, or set AWS_PROFILE; on a laptop start the stack with `airline up`.",
            ) from error

    def _change(
        self,
        kind: "ChangeSetTypeType",
        template: str,
        parameters: "list[ParameterTypeDef]",
        imports: "Iterable[ResourceToImportTypeDef]" = (),
    ) -> bool:
        """Put one change set through and wait for its end; False when there was nothing to change."""
        request: CreateChangeSetInputTypeDef = {
            "StackName": self._name,
            "ChangeSetName": f"airline-{uuid.uuid4().hex}",
            "ChangeSetType": kind,
            "TemplateBody": template,
            "Parameters": parameters,
            "Capabilities": ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
        }
        if kind == "IMPORT":
            request["ResourcesToImport"] = list(imports)
        try:
            created = self._client.create_change_set(**request)
        except ClientError as error:
            raise self._refusal(error) from error
        if not self._is_worth_executing(created["Id"]):
            self._client.delete_change_set(ChangeSetName=created["Id"])
            return False
        last_event = next(self._events(created["StackId"]), None)
        self._client.execute_change_set(ChangeSetName=created["Id"])
        self._finish(created["StackId"], after=last_event)
        return True

    def _is_worth_executing(self, change_set: str) -> bool:
        found = _until(
            lambda: self._client.describe_change_set(ChangeSetName=change_set),
            lambda seen: seen["Status"] not in ("CREATE_PENDING", "CREATE_IN_PROGRESS"),
            self._settings,
        )
        reason = found.get("StatusReason", "")
        if found["Status"] == "CREATE_COMPLETE":
            return True
        if any(words in reason for words in _NOTHING_TO_DO):
            return False
        raise self._refusal(reason)

    def _refusal(self, reason: object) -> AirlineError:
        return AirlineError(
            f"CloudFormation refused the change of stack {self._name}: {reason}",
            remedy=f"Correct {TEMPLATE} or the parameters, then deploy again; nothing was changed.",
        )

    def _finish(self, stack_id: str, *, after: "StackEventTypeDef | None") -> None:
        """Wait for the operation's end.

        Raises:
            AirlineError: It failed; with the reason of every resource that did.
        """
        status = self._settle(stack_id, after=after)
        if status in ("CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE"):
            return
        reasons = "\n".join(f"  {line}" for line in self._failures(stack_id, after))
        raise AirlineError(
            f"Stack {self._name} was expected to be complete and is {status}:\n{reasons}",
            remedy=f"Correct what the reasons name in {TEMPLATE} or its parameters, then deploy again.",
        )

    def _settle(self, stack_id: str, *, after: "StackEventTypeDef | None" = None) -> str:
        """Tell each resource that is done, until nothing is in progress; return the stack's status."""
        told: set[str] = set()

        def look() -> "StackTypeDef | None":
            stack = self._describe(stack_id)
            for event in reversed(list(self._events(stack_id, after))):
                if event["EventId"] not in told and not event["ResourceStatus"].endswith("_IN_PROGRESS"):
                    told.add(event["EventId"])
                    self._on_progress(f"{event['LogicalResourceId']} {event['ResourceStatus']}")
            return stack

        return _status(
            _until(look, lambda stack: not _status(stack).endswith("_IN_PROGRESS"), self._settings)
        )

    def _failures(self, stack_id: str, after: "StackEventTypeDef | None") -> list[str]:
        """The reasons of one operation's failures, first failure first, without what was merely cancelled."""
        return [
            f"{event['LogicalResourceId']} ({event['ResourceType']}): {event['ResourceStatusReason']}"
            for event in reversed(list(self._events(stack_id, after)))
            if event["ResourceStatus"].endswith("_FAILED")
            and "cancelled" not in event.get("ResourceStatusReason", "cancelled")
        ]

    def _events(
        self, stack_id: str, after: "StackEventTypeDef | None" = None
    ) -> "Iterator[StackEventTypeDef]":
        """The stack's events, newest first, down to but without `after`."""
        for page in self._client.get_paginator("describe_stack_events").paginate(StackName=stack_id):
            for event in page["StackEvents"]:
                if after is not None and event["EventId"] == after["EventId"]:
                    return
                yield event


def _status(stack: "StackTypeDef | None") -> str:
    return stack["StackStatus"] if stack else "DELETE_COMPLETE"


def _existing_buckets(settings: Settings) -> dict[str, str]:
    """Which of the platform's buckets are there already: logical id → name.

    Raises:
        AirlineError: A name belongs to somebody else, or to another region.
    """
    names = {logical_id: str(getattr(settings, setting)) for logical_id, setting in BUCKETS.items()}
    return {logical_id: name for logical_id, name in names.items() if _bucket_is_there(settings, name)}


def _bucket_is_there(settings: Settings, name: str) -> bool:
    try:
        make_client(settings, "s3").head_bucket(Bucket=name)
    except ClientError as error:
        code = error.response["ResponseMetadata"]["HTTPStatusCode"]
        if code == HTTPStatus.NOT_FOUND:
            return False
        raise AirlineError(
            f"Bucket {name} was expected to be ours or nobody's in {settings.region}; S3 answers {code}",
            remedy="Choose another AIRLINE_NAME (bucket names are global), or the bucket's AWS_REGION.",
        ) from error
    return True


def _bare_buckets(buckets: Mapping[str, str]) -> str:
    """The template an import takes: the buckets by name and nothing else."""
    return json.dumps(
        {
            "Resources": {
                logical_id: {
                    "Type": "AWS::S3::Bucket",
                    "DeletionPolicy": "Retain",
                    "UpdateReplacePolicy": "Retain",
                    "Properties": {"BucketName": name},
                }
                for logical_id, name in buckets.items()
            }
        }
    )


def _until(look: Callable[[], _Seen], done: Callable[[_Seen], bool], settings: Settings) -> _Seen:
    """Look until it is done: many times a second on a laptop, every few seconds in an account."""
    laptop = settings.stage == "local"
    retrying = Retrying(
        retry=retry_if_not_result(done),
        wait=wait_exponential(multiplier=0.02, max=0.5) if laptop else wait_exponential(min=1, max=8),
        stop=stop_after_delay(60 if laptop else 3600),
    )
    try:
        return retrying(look)
    except RetryError as error:
        raise AirlineError(
            f"Stack {settings.name} was expected to settle; last seen: {error.last_attempt.result()}",
            remedy="Look at the stack's events, then deploy again: it continues where this stopped.",
        ) from error


# --- The Glue programs --------------------------------------------------------------------------------------


def upload_programs(settings: Settings, *, on_progress: Progress = _silent) -> tuple[str, ...]:
    """Put the Glue jobs and what they import into the lake bucket; return the keys that were not there so.

    An object is left alone when its ETag, the MD5 of its bytes, is already right.
    """
    s3 = make_client(settings, "s3")
    stored = _etags(s3, settings.lake_bucket)
    programs = glue_programs()
    changed = {key: body for key, body in programs.items() if stored.get(key) != _etag(body)}
    for key, body in changed.items():
        on_progress(f"s3://{settings.lake_bucket}/{key}")
        s3.put_object(Bucket=settings.lake_bucket, Key=key, Body=body)
    return tuple(changed)


def glue_programs() -> dict[str, bytes]:
    """What Glue runs, by object key: every `glue_jobs/*_job.py`, and one package of what they import."""
    scripts = sorted(Path(glue_jobs.__file__).parent.glob("*_job.py"))
    return {
        **{f"{PROGRAMS_PREFIX}{script.name}": script.read_bytes() for script in scripts},
        f"{PROGRAMS_PREFIX}{PROGRAM_PACKAGE}": _package(),
    }


def _package() -> bytes:
    """A zip of the modules a Glue job may import; the same sources give the same bytes."""
    root = REPOSITORY / "airline_platform"
    folders = [*(root / name for name in TRAVELLING), Path(glue_jobs.__file__).parent]
    modules = [root / "__init__.py", *(path for folder in folders for path in sorted(folder.glob("*.py")))]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as package:  # stored: what zlib makes differs by its version
        for module in modules:
            name = module.relative_to(REPOSITORY).as_posix()
            package.writestr(zipfile.ZipInfo(name), module.read_bytes())
    return buffer.getvalue()


def _etags(s3: "S3Client", bucket: str) -> dict[str, str]:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=PROGRAMS_PREFIX)
    return {found["Key"]: found["ETag"] for page in pages for found in page.get("Contents", [])}


def _etag(body: bytes) -> str:
    return f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'


# --- The warehouse's crawler --------------------------------------------------------------------------------


def jdbc_url(warehouse: Mapping[str, Any]) -> str:
    """The URL at which a crawler finds a laptop's warehouse; the login is not in it.

    Args:
        warehouse: host, port and dbname, as the warehouse's secret has them.
    """
    return f"jdbc:postgresql://{warehouse['host']}:{warehouse['port']}/{warehouse['dbname']}"


def start_warehouse_crawler(settings: Settings) -> None:
    """Have a laptop's Data Catalog filled anew: a stop forgets what `warehouse_catalog` had crawled."""
    client = make_client(settings, "glue")
    with contextlib.suppress(client.exceptions.CrawlerRunningException):
        client.start_crawler(Name=settings.crawler_name("warehouse"))


# --- Secrets ------------------------------------------------------------------------------------------------


def store_warehouse_secret(settings: Settings, warehouse: Mapping[str, Any]) -> bool:
    """Store how the warehouse is reached; False when it was stored like that already.

    Args:
        settings: Names the secret.
        warehouse: engine, host, port, dbname, username and password.
    """
    client = make_client(settings, "secretsmanager")
    name, value = settings.warehouse_secret, json.dumps(dict(warehouse), sort_keys=True)
    try:
        if client.get_secret_value(SecretId=name)["SecretString"] == value:
            return False
        client.put_secret_value(SecretId=name, SecretString=value)
    except client.exceptions.ResourceNotFoundException:
        client.create_secret(Name=name, SecretString=value, Description="How the warehouse is reached.")
    return True


def ensure_customer_key(settings: Settings, customer_key: str | None = None) -> bool:
    """Have a secret with the key customers are hashed with; False when there was one, which stays.

    Args:
        settings: Names the secret.
        customer_key: What it is to hold; None for something new.
    """
    client = make_client(settings, "secretsmanager")
    try:
        client.create_secret(
            Name=settings.customer_key_secret,
            SecretString=customer_key or secrets.token_hex(32),
            Description="Key customers are hashed with: whoever has it can find them out.",
        )
    except client.exceptions.ResourceExistsException:
        return False
    return True
