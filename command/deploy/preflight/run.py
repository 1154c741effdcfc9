"""Asks everything, in the order in which a deployment would fail."""

from collections.abc import Iterator

from airline_platform.errors import WrongCall
from airline_platform.settings import Settings
from command.deploy.preflight import account, names
from command.deploy.preflight.finding import Finding, asked
from command.deploy.preflight.rights import rights
from command.deploy.preflight.trial import trials
from command.deploy.progress import Progress, Unasked, silent
from command.deploy.stack_events import BEYOND_UPDATE, GONE, StackEvents, status_of
from command.deploy.template import render, render_warehouse
from command.deploy.warehouse import own_stack
from resources.aws.client import make_client

DEPLOYED = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE")
"""States of a stack whose resources are all there."""

UNMADE = (GONE, "REVIEW_IN_PROGRESS", "IMPORT_ROLLBACK_COMPLETE", *BEYOND_UPDATE)
"""States of a stack that is made anew, after what is left of it was deleted; its names must be free then."""


def preflight(
    settings: Settings, *, with_warehouse: bool = False, on_progress: Progress = silent
) -> tuple[Finding, ...]:
    """Find what a deployment would fail over; of a deployment that is there, also what its runs would.

    Nothing is made or changed before the first deployment. After it, a Parquet file and two manifests are
    written to the lake and removed, the warehouse wakes up, and a Glue job runs for a minute.

    Args:
        settings: Where a deployment goes.
        with_warehouse: Whether it makes its warehouse, too.
        on_progress: Called with a line about what is being asked.

    Raises:
        WrongCall: The stage is a laptop.
    """
    if settings.stage == "local":
        raise WrongCall(
            "an account to ask was expected, and the stage is a laptop",
            remedy="Say --stage aws; what a laptop lacks says `airline doctor`.",
        )
    return tuple(_findings(settings, with_warehouse=with_warehouse, on_progress=on_progress))


def _findings(settings: Settings, *, with_warehouse: bool, on_progress: Progress) -> Iterator[Finding]:
    identity, caller = account.who_calls(settings)
    yield identity
    if caller is None:
        return
    yield account.region(settings)
    stack, status = _stack(settings, settings.name)
    yield stack
    makes_warehouse = with_warehouse and _stack(settings, own_stack(settings))[1] in UNMADE
    yield account.template_fits("template", render)
    if with_warehouse:
        yield account.template_fits("warehouse's template", render_warehouse)
    yield from names.buckets(settings, caller, deployed=status not in (None, *UNMADE))
    yield from names.secrets(settings)
    makes_platform = status in UNMADE
    if makes_platform or makes_warehouse:
        on_progress("names and quotas")
        yield names.others(settings, caller, platform=makes_platform, warehouse=makes_warehouse)
        yield from account.quotas(settings, caller, platform=makes_platform, warehouse=makes_warehouse)
    on_progress("rights")
    yield from rights(settings, caller, with_warehouse=with_warehouse)
    if status in DEPLOYED:
        yield from trials(settings, on_progress)
    else:
        yield Finding("COPY, Athena, a Glue job", "later", "tried after the first deployment")


def _stack(settings: Settings, name: str) -> tuple[Finding, str | None]:
    """Ask for a stack; what it means for a deployment, and its status, None where nobody says."""
    found: list[str] = []

    def ask() -> Finding:
        events = StackEvents(make_client(settings, "cloudformation"), settings, name, Unasked())
        found.append(status_of(events.describe()))
        if found[0] == GONE:
            return Finding(f"stack {name}", "ok", "is not there yet")
        if found[0] == "IMPORT_ROLLBACK_FAILED":
            remedy = f"`aws cloudformation delete-stack --stack-name {name}`; its buckets stay."
            return Finding(f"stack {name}", "fails", found[0], remedy)
        return Finding(f"stack {name}", "ok", found[0])

    finding = asked(f"stack {name}", ask, "cloudformation:DescribeStacks")
    return finding, found[0] if found else None
