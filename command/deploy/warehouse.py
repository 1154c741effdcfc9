"""A warehouse that a stack describes: the platform's own, of `infra/warehouse.yaml`, or one that is there.

What the stack's outputs say becomes the platform's secret and the parameters of its template.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from airline_platform.errors import AirlineError, WrongCall
from airline_platform.settings import Settings
from command.deploy.progress import Progress, Review, silent
from command.deploy.stack import deploy_warehouse_stack, stack_outputs
from resources.aws.client import make_client

CRAWLED = (
    "WarehouseJdbcUrl",
    "WarehouseDatabase",
    "WarehouseSubnetId",
    "WarehouseAvailabilityZone",
    "WarehouseSecurityGroupId",
)
"""Parameters of the platform's template by which Glue reaches the warehouse, called like the outputs."""

SERVERLESS: Any = "redshift-serverless"
"""The service of usage limits."""

COMPUTE = "serverless-compute"
"""The usage whose limit is in RPU-hours."""


@dataclass(frozen=True)
class WarehouseStack:
    """The stack that describes a warehouse.

    Args:
        name: Of a stack that is there; None for the platform's own, `<name>-warehouse`, which is made.
        parameters: Of `infra/warehouse.yaml`, by name, for the platform's own; what is left out keeps its
            value.
    """

    name: str | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)

    def bring_up(
        self, settings: Settings, on_progress: Progress = silent, review: Review | None = None
    ) -> Mapping[str, str]:
        """Make the platform's own warehouse, or bring it up to date; return the stack's outputs.

        Args:
            settings: Where it is.
            on_progress: Called with a line about what is being done.
            review: Who is asked before a change is made; nobody where left out.

        Raises:
            StackUnavailable: The endpoint does not answer, or there are no credentials for it.
            AirlineError: CloudFormation refused or rolled back; or there is no stack of that name.
        """
        if self.name is None:
            stack = own_stack(settings)
            made = deploy_warehouse_stack(
                settings, stack, parameters=self.parameters, on_progress=on_progress, review=review
            )
            limit_usage(settings, made.outputs, on_progress)
            return made.outputs
        if not (outputs := stack_outputs(settings, self.name)):
            raise AirlineError(
                f"expected a stack {self.name} with outputs in {settings.region}, found none",
                remedy="Name a stack that describes the warehouse, or leave it out and say --with-warehouse.",
            )
        return outputs


def own_stack(settings: Settings) -> str:
    """Return the name of the stack of the platform's own warehouse."""
    return f"{settings.name}-warehouse"


def chosen_stack(
    settings: Settings, *, own: bool, named: str | None, parameters: Mapping[str, str]
) -> WarehouseStack | None:
    """Return the stack that a call of `airline deploy` chooses; None leaves the warehouse as it is.

    Raises:
        WrongCall: The options contradict each other, or the stage.
    """
    if not own and named is None:
        if parameters:
            raise WrongCall(
                "--warehouse-parameter was expected with --with-warehouse, and stands alone",
                remedy="Add --with-warehouse.",
            )
        return None
    if settings.stage == "local":
        raise WrongCall(
            "a warehouse's stack was expected in an account, and the stage is a laptop, which has its own",
            remedy="Say --stage aws, or leave the warehouse's options out.",
        )
    if named is not None and (own or parameters):
        raise WrongCall(
            "--warehouse-stack names a warehouse that is there, which --with-warehouse would make",
            remedy="Leave one of the two out; a stack that is there keeps its own parameters.",
        )
    return WarehouseStack(named, parameters)


def values_by_name(pairs: Sequence[str] | None) -> dict[str, str]:
    """Read `NAME=VALUE` pairs; a value may be empty.

    Raises:
        WrongCall: One of them has no name or no `=`.
    """
    found = {}
    for pair in pairs or ():
        name, equals, value = pair.partition("=")
        if not name or not equals:
            raise WrongCall(
                f"expected NAME=VALUE, got {pair!r}", remedy="Write DagsterRoleName=my-role, say."
            )
        found[name] = value
    return found


def login_of(settings: Settings, outputs: Mapping[str, str]) -> dict[str, Any]:
    """Compose the platform's secret: engine, host, port, dbname, and how to log in.

    Where the outputs have LoginSecretArn, that is the username and password of the secret it names; else
    `workgroup`, or `cluster`, for which whoever connects asks for short-lived credentials.

    Raises:
        AirlineError: An output is missing, or the secret has no login.
    """
    place = {
        "engine": outputs.get("WarehouseEngine", "redshift"),
        "host": _required(outputs, "WarehouseHost"),
        "port": int(_required(outputs, "WarehousePort")),
        "dbname": _required(outputs, "WarehouseDatabase"),
    }
    if secret := outputs.get("LoginSecretArn"):
        return place | _password(settings, secret)
    if cluster := outputs.get("ClusterIdentifier"):
        return place | {"cluster": cluster}
    return place | {"workgroup": _required(outputs, "WorkgroupName")}


def platform_parameters(outputs: Mapping[str, str]) -> dict[str, str]:
    """Return the parameters of the platform's template that the outputs decide, empty ones included.

    Without WarehouseJdbcUrl there is no way from Glue to the warehouse, and no crawler is made over it. An
    ARN for short-lived logins is passed on only where nobody logs in with a password.
    """
    is_crawled = "WarehouseJdbcUrl" in outputs
    crawled = {name: _required(outputs, name) if is_crawled else "" for name in CRAWLED}
    arn = "" if "LoginSecretArn" in outputs else outputs.get("WarehouseLoginArn", "")
    return crawled | {"WarehouseLoginArn": arn}


def limit_usage(settings: Settings, outputs: Mapping[str, str], on_progress: Progress = silent) -> bool:
    """Set the workgroup's daily usage limit, which CloudFormation cannot; return False when it was so.

    Args:
        settings: Where the warehouse is.
        outputs: WarehouseLoginArn (the workgroup's), DailyRpuHours and OverLimit.
        on_progress: Called with a line about what is being done.
    """
    client = make_client(settings, SERVERLESS)
    arn, wanted = outputs["WarehouseLoginArn"], int(outputs["DailyRpuHours"])
    action = outputs["OverLimit"]
    limits = client.list_usage_limits(resourceArn=arn, usageType=COMPUTE).get("usageLimits", [])
    daily = [limit for limit in limits if limit["period"] == "daily"]
    if daily and (daily[0]["amount"], daily[0]["breachAction"]) == (wanted, action):
        return False
    on_progress(f"usage limit of the warehouse: {wanted} RPU-hours a day, then {action}")
    if daily:
        client.update_usage_limit(usageLimitId=daily[0]["usageLimitId"], amount=wanted, breachAction=action)
    else:
        client.create_usage_limit(
            resourceArn=arn, usageType=COMPUTE, period="daily", amount=wanted, breachAction=action
        )
    return True


def _required(outputs: Mapping[str, str], name: str) -> str:
    if name not in outputs:
        raise AirlineError(
            f"expected the warehouse's stack to have an output {name}, found {', '.join(sorted(outputs))}",
            remedy="Give it the outputs of infra/warehouse.yaml, or make the secret by hand (docs/aws.md).",
        )
    return outputs[name]


def _password(settings: Settings, secret: str) -> dict[str, str]:
    answer = make_client(settings, "secretsmanager").get_secret_value(SecretId=secret)
    try:
        document = json.loads(answer["SecretString"])
        return {name: str(document[name]) for name in ("username", "password")}
    except (ValueError, KeyError, TypeError):
        # Their texts would quote the secret.
        raise AirlineError(
            f"expected the secret {secret} to be JSON with username and password, and it is not",
            remedy="Correct the secret that the warehouse's stack names in LoginSecretArn.",
        ) from None
