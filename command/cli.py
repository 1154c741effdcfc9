"""The `airline` command: everything a person does; everything else is the Dagster UI.

Exit status: 0 done, 1 it failed (the reason on stderr, one line first), 2 the call was wrong. With `--json`
one JSON document goes to stdout and nothing else does; progress always goes to stderr.

Each command imports what it needs itself: `--help` is to be there at once, and an account installs no laptop.
"""

import sys
from dataclasses import asdict, fields
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from airline_platform.errors import AirlineError, StackUnavailable, WrongCall
from airline_platform.feeds import FEEDS, SUFFIXES
from command.console import err, out, progress, show_csv, show_json, show_table, stream_csv, stream_json, tell
from command.generators.files import Order, generate_files, generated_feeds, summary

if TYPE_CHECKING:
    from airline_platform.settings import Settings
    from laptop.stack import StackInfo

app = typer.Typer(
    help="Airline data platform: files in S3 become exactly-once rows in the warehouse.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
Wait = Annotated[bool, typer.Option("--wait", help="Return when it has ended.")]
Csv = Annotated[bool, typer.Option("--csv", help="CSV on stdout.")]
Day = Annotated[datetime | None, typer.Option("--date", formats=["%Y-%m-%d"], help="The day.")]
Stage = Annotated[str | None, typer.Option(help="aws or local; AIRLINE_STAGE where left out.")]
FeedName = Annotated[str, typer.Argument(help=f"One of {', '.join(FEEDS)}.")]

SCREEN_ROWS = 500
"""How many rows of a long table are shown; CSV and JSON have them all."""


def main() -> None:
    """Run the command line; expected failures become an exit status and a reason."""
    try:
        app()
    except WrongCall as error:
        _fail(error, status=2)
    except AirlineError as error:
        _fail(error, status=1)
    except Exception as error:
        from resources.aws.refusals import refusal

        refused = refusal(error)
        if refused is None:
            raise
        _fail(refused, status=1)


def _fail(error: AirlineError, *, status: int) -> None:
    err.print(str(error.args[0]), style="red", markup=False, soft_wrap=True)
    err.print(f"What to do: {error.remedy}", markup=False, soft_wrap=True)
    sys.exit(status)


def _settings(stage: str | None = None) -> "Settings":
    """Parse the environment; `stage` goes before what it says.

    Raises:
        WrongCall: A variable has a value it cannot have.
    """
    import pydantic

    from airline_platform.settings import Settings, get_settings, variable_of

    try:
        return Settings.load(stage=stage) if stage else get_settings()
    except pydantic.ValidationError as error:
        problems = (
            f"{variable_of('_'.join(map(str, problem['loc'])))}: {problem['msg']}"
            for problem in error.errors()
        )
        raise WrongCall(
            "\n".join(problems), remedy="Correct the variable; docs/settings.md lists all."
        ) from error


@app.command()
def up(
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Return when all of it answers.")] = False,
    port: Annotated[int | None, typer.Option(help="The Dagster UI's port; 0 for a free one.")] = None,
) -> None:
    """Start the laptop stack and Dagster; a stack that runs already is left as it is."""
    from laptop import stack

    settings = _settings()
    if port is not None:
        settings = settings.model_copy(update={"ui_port": port})

    def ready(info: "StackInfo") -> None:
        out.print(f"Dagster UI    {info.ui_url}")
        out.print(f"AWS endpoint  {info.endpoint_url}")
        out.print(f"State         {info.home}", soft_wrap=True)
        if not detach and not info.already_up:
            out.print("Ready. Ctrl-C stops everything.")

    stack.up(settings, detach=detach, on_progress=tell, on_ready=ready)


@app.command()
def down() -> None:
    """Stop what `up` started, cleanly, and only that."""
    from laptop import stack

    settings = _settings()
    stopped = stack.down(settings)
    out.print("Stopped." if stopped else f"Nothing ran in {settings.home}.", soft_wrap=True)


@app.command()
def status(
    reconcile: Annotated[
        bool, typer.Option("--reconcile", help="Ask again for every landed file without a verdict.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show every component, the queue's depth, and per feed what is loaded, rejected and waiting."""
    settings = _settings()
    if reconcile:
        from command.deploy.recovery import resend_landing_events

        tell(f"{resend_landing_events(settings)} landed files without a verdict were asked for")
    document = _status(settings)
    if as_json:
        show_json(document)
    else:
        if document["components"]:
            show_table(document["components"], "Components", ("name", "state", "address"))
        show_table(document["feeds"], "Feeds")
        out.print(
            f"Landing events: {document['queue']} in the queue, {document['dead']} in the dead-letter queue"
        )
        out.print("Sensors: " + ", ".join(f"{k} {v.lower()}" for k, v in document["sensors"].items()))
        for each in document["schedules"]:
            at = f", next at {each['next_tick']:%Y-%m-%d %H:%M} UTC" if each["next_tick"] else ""
            out.print(f"Schedule: {each['name']} {each['state'].lower()}{at}")
    if any(component["state"] != "running" for component in document["components"]):
        raise StackUnavailable(
            "some components do not run", remedy=f"Read the logs in {settings.home / 'logs'}."
        )


def _status(settings: "Settings") -> dict[str, Any]:
    from command.dagster_client import DagsterClient
    from resources.accounts import account, feed_statuses, queue_depth

    components: list[dict[str, Any]] = []
    if settings.stage == "local":
        from laptop import stack

        components = [asdict(component) for component in stack.components(settings)]
    client = DagsterClient.of(settings)
    return {
        "components": components,
        "queue": queue_depth(settings, settings.landing_queue),
        "dead": queue_depth(settings, settings.landing_dead_letter_queue),
        "sensors": client.sensors(),
        "schedules": [asdict(each) for each in client.schedules()],
        "feeds": [asdict(each) for each in feed_statuses(account(settings))],
    }


@app.command()
def land(
    files: Annotated[list[Path], typer.Argument(help="Files, or folders of them.")],
    feed: Annotated[str | None, typer.Option(help="The feed; read from the header where left out.")] = None,
    day: Annotated[
        datetime | None,
        typer.Option("--date", formats=["%Y-%m-%d"], help="The day; read from the name where left out."),
    ] = None,
) -> None:
    """Put files into the landing bucket under the right keys."""
    from command import follow
    from command.land import expand, plan_upload

    _check_feed(feed)
    settings, of_day = _settings(), day.date() if day else None
    uploads = [plan_upload(path, settings=settings, feed=feed, day=of_day) for path in expand(files)]
    if not uploads:
        raise WrongCall(
            "expected files to land, found none",
            remedy=f"Name a file, or a folder with files that end in {', '.join(SUFFIXES)}.",
        )
    follow.land(settings, uploads)
    for upload in uploads[:20]:
        out.print(f"{upload.path} -> s3://{settings.landing_bucket}/{upload.key}", soft_wrap=True)
    if len(uploads) > 20:  # noqa: PLR2004 - a screenful
        out.print(f"... {len(uploads)} files in all")


@app.command()
def wait(
    timeout: Annotated[float, typer.Option(help="Seconds to wait at most.")] = 600,
    as_json: Json = False,
) -> None:
    """Wait until every landed object is loaded or rejected; fail with the list of what is not."""
    from command import follow
    from command.dagster_client import DagsterClient

    settings = _settings()
    client = DagsterClient.of(settings)
    accounts = follow.wait(settings, client, timeout)
    left = [each for each in accounts if each.state == "waiting"]
    rejected = [each for each in accounts if each.state == "rejected"]
    if as_json:
        show_json([asdict(each) for each in accounts])
    else:
        loaded = len(accounts) - len(left) - len(rejected)
        out.print(f"{loaded} loaded, {len(rejected)} rejected, {len(left)} waiting")
        for each in rejected:
            out.print(f"rejected: {each.key}: {each.reason}", markup=False, soft_wrap=True)
    if left:
        remedy = "See `airline alerts` and the runs in the Dagster UI; or wait longer: --timeout."
        if hours := follow.who_asks(client, follow.waiting_feeds(left)):
            remedy = f"{hours} To be faster, start the sensor in the Dagster UI, or `airline backfill`."
        raise AirlineError("not loaded: " + ", ".join(each.key for each in left[:50]), remedy=remedy)


@app.command()
def query(
    sql: Annotated[str, typer.Argument(help="One read-only statement of Redshift SQL.")],
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Ask the warehouse, read-only."""
    import psycopg2
    from sqlglot.errors import SqlglotError

    from resources.warehouse.session import Database, require_one_query

    try:
        require_one_query(sql)
        rows = Database.of(_settings()).query(sql)
    except (psycopg2.Error, SqlglotError) as error:
        raise AirlineError(str(error).strip(), remedy="Correct the statement; it only may read.") from error
    if as_json:
        show_json(rows)
    elif as_csv:
        show_csv(rows)
    else:
        show_table(rows)


@app.command()
def alerts(as_json: Json = False) -> None:
    """Show the alerts that SNS delivered, newest first."""
    from resources.inbox import read_alerts

    delivered = read_alerts(_settings())
    if as_json:
        show_json(delivered)
        return
    for alert in delivered:
        out.rule(alert["at"], align="left")
        out.print(alert["message"], markup=False, soft_wrap=True)
    if not delivered:
        out.print("No alerts.")


@app.command()
def backfill(
    feed: FeedName,
    first: Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="First day.")],
    last: Annotated[datetime, typer.Option("--to", formats=["%Y-%m-%d"], help="Last day.")],
    wait_for_it: Wait = False,
    timeout: Annotated[float, typer.Option(help="Seconds to wait at most, with --wait.")] = 1800,
) -> None:
    """Run a range of days again, in as few runs as the settings allow."""
    from command import follow
    from command.dagster_client import DagsterClient, days_between

    _check_feed(feed)
    days = days_between(first.date(), last.date())
    if not days or not FEEDS[feed].daily:
        raise WrongCall(
            f"expected a range of days of a daily feed, got {feed} {first:%Y-%m-%d} to {last:%Y-%m-%d}",
            remedy="--from must not be after --to; airports have no days.",
        )
    settings = _settings()
    client = DagsterClient.of(settings)
    name = follow.backfill(settings, client, FEEDS[feed], days)
    if wait_for_it:
        follow.follow(client, name, len(days), timeout)


@app.command()
def rejects(
    feed: FeedName,
    day: Day = None,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Show what was rejected: rows with line, reason and text, and files refused whole; newest day first."""
    from command.rejects import Reject, find_rejects

    chosen = _day_of_feed(feed, day)
    rows = (vars(reject) for reject in find_rejects(_settings(), FEEDS[feed], chosen))
    if as_json:
        stream_json(rows)
    elif as_csv:
        stream_csv(rows, [field.name for field in fields(Reject)])
    else:
        first = list(islice(rows, SCREEN_ROWS))
        show_table(first, f"Rejects of {feed}")
        if next(rows, None):
            out.print(f"These are the newest {SCREEN_ROWS}; all of them: --csv or --json.")


@app.command()
def replay(
    feed: FeedName,
    day: Day = None,
    wait_for_it: Wait = False,
    timeout: Annotated[float, typer.Option(help="Seconds to wait at most, with --wait.")] = 1800,
    as_json: Json = False,
) -> None:
    """Run a day's refused and partly rejected files again, after rules or code have changed."""
    from command import replay as replays
    from command.dagster_client import DagsterClient

    settings, chosen = _settings(), _day_of_feed(feed, day)
    if FEEDS[feed].daily and not chosen:
        raise WrongCall(f"expected a day of {feed}, got none", remedy="Say which: --date YYYY-MM-DD.")
    before = replays.to_replay(settings, FEEDS[feed], chosen)
    if not before:
        if as_json:
            show_json(replays.document(feed, chosen, None, before))
        else:
            out.print(f"Nothing of {' '.join(filter(None, (feed, chosen)))} is refused or rejected.")
        return
    client = DagsterClient.of(settings)
    started = replays.start(client, FEEDS[feed], chosen)
    tell(f"run {started.run_id}: " + ", ".join(verdict.key for verdict in before[:20]))
    after = replays.wait(settings, client, started, timeout) if wait_for_it else None
    if as_json:
        show_json(replays.document(feed, chosen, started.run_id, before, after))
    else:
        show_table(replays.compared(before, after))
    if wait_for_it:
        replays.require_success(client, started)


@app.command()
def generate(
    feed: Annotated[str, typer.Argument(help=f"One of {', '.join(generated_feeds())}.")],
    first: Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="First day.")],
    last: Annotated[datetime, typer.Option("--to", formats=["%Y-%m-%d"], help="Last day.")],
    folder: Annotated[Path, typer.Option("--out", help="Folder for the files.")],
    *,
    rows: Annotated[int | None, typer.Option(help="Rows of each day; the feed's own number else.")] = None,
    seed: Annotated[int, typer.Option(help="Another one gives other files.")] = 1,
    dirty: Annotated[bool, typer.Option("--dirty", help="Spoil 2 % of the rows, in many ways.")] = False,
    array: Annotated[
        bool, typer.Option("--array", help="One JSON array a file, not an object a line; shipments only.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Write synthetic landing files; the same seed gives the same rows.

    Files of bookings and flights replace those that were generated before; shipments add a new one.
    """
    order = Order(feed, first.date(), last.date(), folder, rows=rows, seed=seed, dirty=dirty, array=array)
    with progress() as bars:
        task = bars.add_task("generating", total=len(order.days))
        document = summary(order, generate_files(order, lambda _: bars.advance(task)).values())
    if as_json:
        show_json(document)
        return
    if dirty:
        show_table(document["dirty"], "Dirty rows")
    line = "files {files:,}, rows {rows:,}, bytes {bytes:,}".format_map(document)
    rejected = f"; rows to be rejected {document['rejected']:,}" if dirty else ""
    out.print(f"Generated in {folder}: {line}{rejected}", markup=False, soft_wrap=True)


@app.command()
def forget(
    key: Annotated[str, typer.Argument(help="Key of the deleted file, as the ledger has it.")],
) -> None:
    """Delete the rows of a landed file that was deleted on purpose."""
    settings = _settings()  # first, as what is imported reads them, too
    from assets.ingest import deleted_sources
    from resources.lake import Lake
    from resources.landing import Landing
    from resources.warehouse.resource import Warehouse

    landing, lake = Landing.of(settings), Lake.of(settings)
    out.print(deleted_sources.forget(key, landing, Warehouse.of(settings), lake), markup=False)


@app.command()
def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Leave the stack running.")] = False,
) -> None:
    """Show the platform at work: real flights land, are loaded, backfilled, and compared with their files."""
    from command.demo.run import run_demo

    run_demo(_settings(), keep=keep)


@app.command()
def deploy(
    *,
    stage: Stage = None,
    alert_email: Annotated[str | None, typer.Option(help="Who gets the alerts by e-mail.")] = None,
    with_warehouse: Annotated[
        bool, typer.Option("--with-warehouse", help="Make the warehouse, too: a stack of its own.")
    ] = False,
    warehouse_stack: Annotated[
        str | None, typer.Option(help="A stack that describes a warehouse which is there.")
    ] = None,
    parameter: Annotated[
        list[str] | None, typer.Option(help="NAME=VALUE, of the template; repeatable.")
    ] = None,
    warehouse_parameter: Annotated[
        list[str] | None, typer.Option(help="NAME=VALUE, of the warehouse's template; repeatable.")
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Make the changes that are shown, unasked.")
    ] = False,
) -> None:
    """Bring stacks, Glue programs and the warehouse's schema up to date; in an account, ask before."""
    from command.deploy import deploy as deployment
    from command.deploy.warehouse import chosen_stack, values_by_name
    from command.review import Terminal

    settings = _settings(stage)
    review = Terminal(yes=yes) if settings.stage == "aws" else None
    chosen = chosen_stack(
        settings, own=with_warehouse, named=warehouse_stack, parameters=values_by_name(warehouse_parameter)
    )
    given = values_by_name(parameter) | ({"AlertEmail": alert_email} if alert_email is not None else {})
    result = deployment.deploy(settings, warehouse=chosen, parameters=given, on_progress=tell, review=review)
    out.print(f"Stack {settings.name}: {result.stack.change}; Glue programs sent: {len(result.uploaded)}")


@app.command()
def preflight(
    *,
    stage: Stage = None,
    with_warehouse: Annotated[
        bool, typer.Option("--with-warehouse", help="As `deploy --with-warehouse` would need it.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Ask the account what a deployment would fail over; after the first one, try COPY, a query, a job."""
    from command.deploy.preflight.run import preflight as find

    found = find(
        _settings(stage),
        with_warehouse=with_warehouse,
        on_progress=tell,
    )
    if as_json:
        show_json([asdict(each) for each in found])
    else:
        show_table([asdict(each) for each in found])
    if any(each.outcome == "fails" for each in found):
        sys.exit(1)


@app.command()
def destroy(
    *,
    stage: Stage = None,
    with_data: Annotated[
        bool, typer.Option("--with-data", help="Delete the buckets, too, with every version.")
    ] = False,
    with_warehouse: Annotated[
        bool, typer.Option("--with-warehouse", help="Delete the warehouse's stack, too.")
    ] = False,
) -> None:
    """Delete the platform's stack in an account, after its name was typed; buckets are kept."""
    from command.deploy import destroy as destruction
    from command.review import Terminal, require_typed

    settings = _settings(stage)
    planned = destruction.plan_destruction(settings, with_data=with_data, with_warehouse=with_warehouse)
    show_table([asdict(each) for each in planned.fates], f"What becomes of {settings.name}")
    require_typed(settings.name)
    destruction.destroy(settings, planned, on_progress=tell, review=Terminal(yes=True))
    kept = ", ".join(f"{each.resource} {each.name}" for each in planned.kept)
    out.print(f"Destroyed. Kept: {kept or 'nothing'}.", markup=False, soft_wrap=True)


@app.command()
def template(
    warehouse: Annotated[bool, typer.Option("--warehouse", help="The warehouse's, instead.")] = False,
) -> None:
    """Print the CloudFormation template that `deploy` applies."""
    from command.deploy.template import render, render_warehouse

    sys.stdout.write(render_warehouse() if warehouse else render())


@app.command()
def audit(
    run_id: Annotated[str, typer.Argument(help="The run's id, whole.")],
    day: Annotated[
        datetime | None,
        typer.Option("--date", formats=["%Y-%m-%d"], help="The run's UTC day; by Dagster where left out."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show the AWS calls a run made, in their order, from CloudTrail."""
    from command.audit import find_calls, require_run_id

    calls = find_calls(_settings(), require_run_id(run_id), day.date() if day else None)
    if as_json:
        show_json([asdict(call) for call in calls])
    else:
        show_table(
            [asdict(call) for call in calls], None, ("time", "service", "action", "resource", "outcome")
        )


@app.command()
def doctor(as_json: Json = False) -> None:
    """Show what is missing on this machine, and how to get it."""
    from laptop.doctor import checks

    results = checks()
    if as_json:
        show_json([asdict(check) for check in results])
    else:
        for check in results:
            mark = "[green]ok     [/]" if check.ok else "[red]missing[/]"
            out.print(f"{mark} {check.name}: {check.found}", soft_wrap=True)
            if not check.ok:
                out.print(f"        {check.remedy}", soft_wrap=True)
    if not all(check.ok for check in results):
        sys.exit(1)


def _check_feed(name: str | None) -> None:
    if name is not None and name not in FEEDS:
        raise WrongCall(f"expected a feed, got {name!r}", remedy=f"Name one of {', '.join(FEEDS)}.")


def _day_of_feed(feed: str, day: datetime | None) -> str | None:
    """Return the ISO day of a feed that was asked for, if any."""
    _check_feed(feed)
    if day and not FEEDS[feed].daily:
        raise WrongCall(
            f"expected no day, got {feed} {day:%Y-%m-%d}", remedy=f"Leave --date out: {feed} have no days."
        )
    return f"{day:%Y-%m-%d}" if day else None
