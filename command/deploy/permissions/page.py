"""Writes `docs/permissions.md`: who calls what of AWS, on what, and from where (`make docs`)."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from command.deploy.permissions.calls import Call
from command.deploy.permissions.ours import DAGSTER, DEPLOYER, JOB, our_calls
from command.deploy.permissions.theirs import COPIES, CRAWLERS, their_calls

INTRODUCTION = """# Who may do what in an account
Every call to AWS, with the permission it asks for. `make docs` writes this page from the table in
`command/deploy/permissions`. What tests prove of the table:

- Each call in the code stands in it, and each call in it is in the code. A stack of `tests/stack` that has
  called anything else, or called it on anything else, fails when it ends: Dagster, commands, runs, Glue jobs.
- The rendered policies of `infra/airline.yaml` and `infra/warehouse.yaml` allow each call with every option,
  and with the defaults all but those of options. They are evaluated as IAM does: conditions and denies, too.
- Each action of each policy is needed, and so is each resource: without it some call is denied.
- Each action exists, and knows the kind of resource it is asked about, by the Service Authorization
  Reference.

What AWS calls by itself (crawlers, Athena, COPY, Glue's logs) stands in tables that name the page which asks
for it. That page is the only proof: no account has confirmed any of it.

On a laptop Dagster and whoever deploys call with one identity. So a stack cannot tell that Dagster has made
a call which only a deployment may make; the table's last column, held against the code, does.

Resources are what follows on the account in an ARN, for the default name `airline`. S3's are bucket and key.
"""

ACTORS = {
    DAGSTER: "Dagster, its commands, and each run in a session of `RunRole`: the policy `DagsterPolicy`.",
    JOB: "Glue jobs: `JobRole`. What Spark does by S3A stands at `glue_jobs/runner.py`.",
    CRAWLERS: "Crawlers: `CrawlerRole`.",
    COPIES: "Redshift's COPY: `CopyRole` of the warehouse's stack.",
    DEPLOYER: (
        "Whoever deploys: no policy of ours. CloudFormation makes the resources with the same rights, "
        "which are not listed here."
    ),
}
"""In the order of the page; services come after them."""

OURS = ("action", "operations", "on", "called by")
THEIRS = ("action", "on", "called by", "asked for by")


def page() -> str:
    """Write the page, in Markdown."""
    ours, theirs = list(our_calls()), list(their_calls())
    parts = [INTRODUCTION]
    for actor, words in ACTORS.items():
        parts += [f"## {actor}", words, ""]
        parts += _table(OURS, _own_rows(call for call in ours if call.actor == actor))
        parts += _table(THEIRS, _rows_of_aws(call for call in theirs if call.actor == actor))
    parts += [
        "## Services",
        "What they do on the platform's queues, topic, bucket and key, and roles they take.",
        "",
    ]
    services = [call for call in theirs if call.actor not in ACTORS]
    rows = ((f"`{call.actor}`", *row) for call in services for row in _rows_of_aws([call]))
    parts += _table(("service", *THEIRS), rows)
    return "\n".join(parts).rstrip("\n") + "\n"


def _own_rows(calls: Iterable[Call]) -> Iterator[Sequence[str]]:
    def row(call: Call) -> tuple[str, str, str]:
        return call.iam_action, _on(call), call.called_by

    for (action, on, by), same in groupby(sorted(calls, key=row), row):
        yield f"`{action}`", ", ".join(f"`{call.operation}`" for call in same), on, f"`{by}`"


def _rows_of_aws(calls: Iterable[Call]) -> Iterator[Sequence[str]]:
    def row(call: Call) -> tuple[str, str, str]:
        return _on(call), call.called_by, call.document

    for (on, by, document), same in groupby(sorted(calls, key=row), row):
        yield ", ".join(f"`{call.iam_action}`" for call in same), on, by, f"[{_title(document)}]({document})"


def _on(call: Call) -> str:
    return ", ".join(f"`{resource}`" for resource in call.resources)


def _title(document: str) -> str:
    return document.rpartition("/")[2].removesuffix(".html")


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    lines = [f"| {' | '.join(row)} |" for row in rows]
    if lines:
        yield f"| {' | '.join(header)} |"
        yield f"|{'---|' * len(header)}"
        yield from lines
        yield ""


if __name__ == "__main__":
    sys.stdout.write(page())
