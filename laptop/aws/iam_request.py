"""What a call in the laptop's trail would ask IAM for in an account, and whether the table of calls has it.

A laptop checks no permission. So the calls that it has seen are compared with those of
`command.deploy.permissions`, for which a test proves that the templates' policies allow them.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from airline_platform.settings import LOCAL_CREDENTIAL
from command.deploy.permissions.calls import Call, iam_action

JOB_CREDENTIAL = "airline-job"
"""Access key of a Glue job, and of what Spark reads and writes for it: in an account they have JobRole."""

GATEWAY_CREDENTIAL = "airline-gateway"
"""Access key of the gateway's own calls, which nobody makes in an account."""

_ACTORS = {LOCAL_CREDENTIAL: ("DagsterPolicy", "deployer"), JOB_CREDENTIAL: ("JobRole",)}
"""Who may be meant by an access key: on a laptop Dagster and whoever deploys have the same one."""

_ANY = "*"
"""What the trail does not say."""


@dataclass(frozen=True)
class IamRequest:
    """An action on resources, asked for by one of some actors.

    Args:
        actors: Roles or policies, by their logical ids in the templates.
        service: As in the action.
        action: Without the service.
        resources: As in `Call`; a `*` stands for what the trail does not say.
    """

    actors: tuple[str, ...]
    service: str
    action: str
    resources: tuple[str, ...]

    def is_in(self, table: Iterable[Call]) -> bool:
        """Say whether a row of the table has it, for one of its actors."""
        return any(
            row.actor in self.actors
            and (row.service, row.action) == (self.service, self.action)
            and all(any(_meets(mine, its) for its in row.resources) for mine in self.resources)
            for row in table
        )

    def __str__(self) -> str:
        """The request in a line, as a row of the table would have it."""
        return f"{' or '.join(self.actors)}: {self.service}:{self.action} on {', '.join(self.resources)}"


def iam_request(record: Mapping[str, Any]) -> IamRequest | None:
    """Read a record of the trail; None where nobody of the platform has called."""
    actors = _ACTORS.get(record["userIdentity"].get("accessKeyId", ""))
    if not actors:
        return None
    service = record["eventSource"].partition(".")[0]
    given = record.get("requestParameters") or {}
    operation = record["eventName"] + (" VersionId" if "versionId" in given else "")
    resources = tuple(_RESOURCES.get(service, _nothing)(given, record["eventName"]))
    return IamRequest(actors, service, iam_action(service, operation), resources)


def not_in_the_table(records: Iterable[Mapping[str, Any]], table: Iterable[Call]) -> list[str]:
    """Return the requests of these records that no row of the table has, each once."""
    rows = tuple(table)
    requests = {request for record in records if (request := iam_request(record))}
    return sorted(str(request) for request in requests if not request.is_in(rows))


def _meets(mine: str, row: str) -> bool:
    """Whether a row's pattern takes a resource; of one with a `*` whether both may mean the same."""
    if mine.endswith(_ANY):
        return fnmatchcase(mine, row) or row.startswith(mine.removesuffix(_ANY))
    return fnmatchcase(mine, row)


def _s3(given: Mapping[str, Any], event: str) -> Iterator[str]:
    bucket, key = given.get("bucketName", _ANY), given.get("key")
    # The keys of DeleteObjects are in its body, which is not kept.
    yield f"{bucket}/{key or _ANY}" if key or event == "DeleteObjects" else bucket


def _glue(given: Mapping[str, Any], event: str) -> Iterator[str]:
    if "Crawler" in event:
        yield f"crawler/{given.get('name', _ANY)}"
    elif "Job" in event:
        yield f"job/{given.get('jobName', _ANY)}"
    else:
        database = given.get("databaseName", _ANY)
        table = given.get("tableName") or given.get("name") or given.get("tableInput", {}).get("name")
        yield from ("catalog", f"database/{database}", f"table/{database}/{table or _ANY}")


def _logs(given: Mapping[str, Any], _event: str) -> Iterator[str]:
    stream = given.get("logStreamName")
    yield f"log-group:{given.get('logGroupName', _ANY)}" + (f":log-stream:{stream}" if stream else "")


def _sqs(given: Mapping[str, Any], _event: str) -> Iterator[str]:
    yield given.get("queueName") or str(given.get("queueUrl", _ANY)).rpartition("/")[2]


def _sns(given: Mapping[str, Any], _event: str) -> Iterator[str]:
    yield given.get("name") or str(given.get("topicArn", _ANY)).rpartition(":")[2]


def _athena(given: Mapping[str, Any], _event: str) -> Iterator[str]:
    yield f"workgroup/{given.get('workGroup', _ANY)}"


def _secrets(given: Mapping[str, Any], _event: str) -> Iterator[str]:
    # Secrets Manager adds a hyphen and six characters to the name.
    yield f"secret:{given.get('secretId') or given.get('name', _ANY)}-??????"


def _nothing(_given: Mapping[str, Any], _event: str) -> Iterator[str]:
    yield _ANY


_RESOURCES = {
    "s3": _s3,
    "glue": _glue,
    "logs": _logs,
    "sqs": _sqs,
    "sns": _sns,
    "athena": _athena,
    "secretsmanager": _secrets,
}
