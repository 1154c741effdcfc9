"""Input, events, settings and calls as bad as they come: verdicts and reasons, never a surprise."""

import json
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from airline_platform.errors import StackUnavailable, WrongCall
from airline_platform.feeds.flights import FLIGHTS
from airline_platform.files.keys import UnknownKey, parse_key
from airline_platform.settings import Settings
from assets.schema import TABLES
from command.land import plan_upload
from resources.acceptance.heads import Accepted, judge
from resources.queue import Message, read_events
from resources.warehouse.migration import apply_schema
from sensors.landing_plan import plan

HEADER = FLIGHTS.header
BODY = f"{HEADER}\nUA,1,2,3,4\n".encode()


@pytest.mark.parametrize(
    "body", [HEADER.encode() + b"\rUA,1,2,3,4\rUA,1,2,3,4\r", HEADER.encode() + b"\rUA,1,2,3,4\r\n"]
)
def test_old_macintosh_line_ends_are_read_as_spark_reads_them(body: bytes) -> None:
    found = judge(FLIGHTS, [body], len(body))

    assert isinstance(found, Accepted)
    assert (found.header, found.rows) == (HEADER, body.count(b"UA"))


def test_a_message_nested_too_deep_to_read_is_no_event() -> None:
    (found,) = read_events("[" * 100_000)

    assert found.key is None


def test_an_event_whose_key_is_no_text_has_no_key() -> None:
    (found,) = read_events('{"detail": {"object": {"key": null}}}')

    assert found.key is None


def test_a_file_put_back_to_what_it_once_was_asks_for_a_new_run() -> None:
    def asked(version: str) -> str | None:
        found = {"key": "daily_flights/2013-01-01.csv", "etag": "e1", "version-id": version}
        now = datetime(2013, 6, 1, tzinfo=UTC)
        made = plan(
            [Message("r", read_events(json.dumps({"detail": {"object": found}})), now)],
            bucket="landing",
            days=(date(2013, 1, 1), date(2013, 12, 31)),
            longest_range=92,
            known=lambda _f, _k: set(),
            now=now,
            longest_wait=timedelta(minutes=2),
        )
        return made.requests[0].run_key

    assert asked("v1") != asked("v3")


@pytest.mark.parametrize(
    ("folder", "name"), [("date=2013-01-05", "my-flights.csv"), ("date=2013-01-05", "newark-jan.csv")]
)
def test_a_ten_letter_name_is_no_day(tmp_path: Path, folder: str, name: str) -> None:
    path = tmp_path / folder / name
    path.parent.mkdir()
    path.write_bytes(BODY)

    assert plan_upload(path, settings=Settings()).key == f"daily_flights/date=2013-01-05/{name}"


def test_a_name_with_a_day_no_calendar_has_is_a_wrong_call(tmp_path: Path) -> None:
    path = tmp_path / "2013-02-30.csv"
    path.write_bytes(BODY)

    with pytest.raises(WrongCall, match="expected a day"):
        plan_upload(path, settings=Settings())


def test_a_folder_that_merely_has_a_date_in_its_name_says_no_day(tmp_path: Path) -> None:
    path = tmp_path / "export of 2024-05-05" / "flights_2013-01-05.csv"
    path.parent.mkdir()
    path.write_bytes(BODY)

    assert plan_upload(path, settings=Settings()).day == "2013-01-05"


@pytest.mark.parametrize("name", ["2013-01-05.txt", "flights-2013-01-05.parquet"])
def test_a_file_that_would_land_under_an_unknown_key_is_a_wrong_call(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(BODY)

    with pytest.raises(WrongCall):
        plan_upload(path, settings=Settings())


@pytest.mark.parametrize("name", ["_flights.csv", ".flights.csv", ".csv"])
def test_a_file_spark_takes_for_hidden_is_an_unknown_key(name: str) -> None:
    found = parse_key(
        f"daily_flights/date=2013-01-01/{name}", first_day=date(2013, 1, 1), last_day=date(2013, 12, 31)
    )

    assert isinstance(found, UnknownKey)


def test_an_empty_endpoint_is_none_at_all(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "")
    (tmp_path / "stack.json").write_text('{"endpoint_url": "http://127.0.0.1:4566"}')

    assert Settings.load(home=tmp_path).endpoint_url == "http://127.0.0.1:4566"


def test_a_setting_can_be_said_by_its_own_name(tmp_path) -> None:
    assert Settings(home=tmp_path, region="eu-west-1", endpoint_url="http://x").region == "eu-west-1"


def airline(home: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from command.cli import main; main()", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={"AIRLINE_HOME": str(home), **environment},
    )


@pytest.mark.parametrize("command", [["query", "SELECT 1"], ["wait"]])
def test_the_reason_is_the_first_line_and_whole_however_long(tmp_path: Path, command: list[str]) -> None:
    home = tmp_path / ("long" * 30)

    assert airline(home, *command).stderr.splitlines()[0] == f"no laptop stack runs in {home}"


def test_a_variable_of_aws_is_named_as_it_is_set(tmp_path: Path) -> None:
    answer = airline(tmp_path, "down", AIRLINE_STAGE="local", AIRLINE_UI_PORT="x", AWS_REGION="r")
    assert answer.stderr.startswith("AIRLINE_UI_PORT: ")
    home = tmp_path / "stack"
    home.mkdir()
    (home / "stack.json").write_text("{")
    broken = airline(home, "query", "SELECT 1")
    assert "Traceback" not in broken.stderr


def test_materialising_without_the_stack_fails_at_the_first_try(tmp_path: Path) -> None:
    program = """
import time
from dagster import AssetKey, DagsterInstance
from airline_platform.definitions import defs
job = defs.resolve_implicit_global_asset_job_def()
started = time.monotonic()
with DagsterInstance.ephemeral() as instance:
    result = job.execute_in_process(
        partition_key="2013-01-01", asset_selection=[AssetKey("raw_flights")],
        instance=instance, raise_on_error=False,
    )
print(sum(event.is_step_up_for_retry for event in result.all_events), round(time.monotonic() - started, 1))
"""
    answer = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        env={"AIRLINE_HOME": str(tmp_path)},
    )
    assert answer.stdout.startswith("0 "), answer.stdout


def test_deploying_to_an_account_leaves_the_laptops_warehouse_alone(monkeypatch, no_stack: Settings) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    assert no_stack.stage == "local"

    # A laptop would say that no stack runs.
    with pytest.raises(StackUnavailable, match="credentials were expected"):
        apply_schema(Settings.load(stage="aws", AWS_REGION="eu-central-1"), TABLES)
