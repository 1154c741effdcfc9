"""Exit status 2 for a wrong call, 1 for a failure, and the reason first on stderr."""

import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from typer.testing import CliRunner

from airline_platform.settings import Settings
from command import cli
from command.deploy.deploy import DeployResult
from command.deploy.destroy import Destruction, Fate
from command.deploy.preflight.finding import Finding
from command.deploy.stack import StackResult
from command.deploy.template import render, render_warehouse
from command.deploy.warehouse import WarehouseStack
from command.review import Terminal

FLIGHTS_CSV = "Carrier,OriginAirportID,DestAirportID,DepDelay,ArrDelay\nUA,11618,12266,2,11\n"
DAYS = ["--from", "2013-01-01", "--to", "2013-01-31"]


@pytest.fixture(autouse=True)
def _no_stack(no_stack: Settings) -> None:
    assert no_stack.endpoint_url is None


@pytest.fixture
def flights_csv(tmp_path: Path) -> str:
    path = tmp_path / "2013-01-05.csv"
    path.write_text(FLIGHTS_CSV)
    return str(path)


@pytest.fixture
def airline(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]):
    """Call the command; give its exit status, stdout and stderr."""

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["airline", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capfd.readouterr()
        return int(ended.value.code or 0), out, err

    return call


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["land", "--feed", "trains", "x.csv"], "expected a feed, got 'trains'"),
        (["land", "none.csv"], "none.csv: expected a file, found none"),
        (["land", "."], "expected files to land, found none"),
        (["backfill", "trains", *DAYS], "expected a feed, got 'trains'"),
        (
            ["backfill", "flights", "--from", "2013-02-01", "--to", "2013-01-01"],
            "expected a range of days of a daily feed, got flights 2013-02-01 to 2013-01-01",
        ),
        (["backfill", "airports", *DAYS], "expected a range of days of a daily feed, got airports"),
        (["rejects", "trains"], "expected a feed, got 'trains'"),
        (["rejects", "airports", "--date", "2013-01-01"], "expected no day, got airports 2013-01-01"),
        (["replay", "trains"], "expected a feed, got 'trains'"),
        (["replay", "airports", "--date", "2013-01-01"], "expected no day, got airports 2013-01-01"),
        (["replay", "flights"], "expected a day of flights, got none"),
    ],
)
def test_a_wrong_call_is_status_2_with_the_reason_and_what_to_do(
    airline, arguments: list[str], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    status, out, err = airline(*arguments)

    assert (status, out) == (2, "")
    assert err.startswith(told)
    assert "What to do: " in err


@pytest.mark.parametrize(
    "arguments",
    [
        ["fly"],
        ["land"],
        ["land", "--date", "2013-02-30", "x.csv"],
        ["backfill", "flights", "--from", "2013-01-01"],
        ["wait", "--timeout", "soon"],
    ],
)
def test_arguments_that_cannot_be_read_are_status_2(airline, arguments: list[str]) -> None:
    status, out, err = airline(*arguments)

    assert (status, out) == (2, "")
    assert "Usage: " in err


def test_a_day_nobody_said_is_status_2_with_the_option_to_use(airline, tmp_path: Path) -> None:
    path = tmp_path / "flights.csv"
    path.write_text(FLIGHTS_CSV)

    status, _, err = airline("land", str(path))

    assert status == 2
    assert "--date YYYY-MM-DD" in err


@pytest.mark.parametrize(
    "arguments",
    [
        ["query", "SELECT 1"],
        ["query", "--json", "SELECT 1"],
        ["status", "--json"],
        ["alerts", "--json"],
        ["rejects", "flights"],
        ["rejects", "flights", "--json"],
        ["replay", "airports"],
        ["backfill", "flights", *DAYS],
    ],
    ids=" ".join,
)
def test_without_a_stack_it_is_status_1_and_the_first_line_says_so(airline, arguments: list[str]) -> None:
    status, out, err = airline(*arguments)

    assert (status, out) == (1, "")
    assert err.splitlines()[0].startswith("no laptop stack runs in")
    assert "airline up" in err


def test_what_aws_refuses_is_status_1_with_its_words_first_and_what_to_do(
    airline, monkeypatch: pytest.MonkeyPatch
) -> None:
    denied = ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "DeleteStack")
    monkeypatch.setattr(cli, "_settings", lambda: raise_(denied))

    status, out, err = airline("down")

    assert (status, out) == (1, "")
    assert err.splitlines()[0].startswith("AWS refuses: An error occurred (AccessDenied)")
    assert "What to do: " in err


def test_a_defect_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["airline", "down"])
    monkeypatch.setattr(cli, "_settings", lambda: raise_(KeyError("Stacks")))

    with pytest.raises(KeyError):
        cli.main()


def raise_(error: Exception) -> None:
    raise error


@pytest.mark.parametrize("command", ["wait", "land"])
def test_what_shows_progress_is_status_1_without_a_stack_too(airline, flights_csv: str, command: str) -> None:
    status, out, err = airline(command, *([flights_csv] if command == "land" else []))

    assert (status, out) == (1, "")
    assert "no laptop stack runs in" in err
    assert "airline up" in err


def test_stopping_what_does_not_run_says_so(airline) -> None:
    status, out, _ = airline("down")

    assert status == 0
    assert out.startswith("Nothing ran in")


def test_a_setting_that_means_nothing_is_status_2_and_names_its_variable(tmp_path: Path) -> None:
    answer = subprocess.run(
        [sys.executable, "-c", "from command.cli import main; main()", "down"],
        capture_output=True,
        text=True,
        check=False,
        env={"AIRLINE_STAGE": "prod", "AIRLINE_HOME": str(tmp_path / "home"), "HOME": str(tmp_path)},
    )

    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr.startswith("AIRLINE_STAGE: ")


def test_help_is_there_without_what_takes_long_to_import() -> None:
    slow = {"boto3", "botocore", "dagster", "psycopg2", "pydantic", "requests", "sqlglot"}
    code = f"import sys, command.cli; print(*sorted({slow!r} & sys.modules.keys()))"

    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert answer.stdout == "\n"


OFTEN = ("command.follow", "command.land", "laptop.stack", "resources.accounts", "resources.inbox")
"""What `status`, `land`, `wait`, `alerts` and `query` are made of, besides the warehouse."""


@pytest.mark.parametrize("module", [*OFTEN, "resources.warehouse.session"])
def test_what_people_ask_often_takes_no_second_to_import_dagster(module: str) -> None:
    code = f"import sys, {module}; print('dagster' in sys.modules)"

    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert answer.stdout == "False\n"


def test_every_command_of_a_person_has_a_line_of_help() -> None:
    answer = CliRunner().invoke(cli.app, ["--help"])

    assert answer.exit_code == 0
    commands = {command.callback.__name__: command for command in cli.app.registered_commands}
    assert set(commands) >= {
        "up", "down", "status", "land", "wait", "query", "alerts", "rejects", "replay",
        "backfill", "demo", "deploy", "template", "doctor", "preflight", "destroy",
    }  # fmt: skip
    assert [name for name, command in commands.items() if not command.callback.__doc__] == []
    assert [name for name in commands if name not in answer.output] == []


def test_the_template_is_printed_whole_without_a_stack(capfd: pytest.CaptureFixture[str]) -> None:
    answer = CliRunner().invoke(cli.app, ["template"])

    assert (answer.exit_code, capfd.readouterr().err) == (0, "")
    assert answer.stdout == render()
    assert CliRunner().invoke(cli.app, ["template", "--warehouse"]).stdout == render_warehouse()


def test_a_laptop_is_not_deployed_with_a_warehouse_of_an_account(
    no_stack: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert no_stack.stage == "local"
    monkeypatch.setattr("sys.argv", ["airline", "deploy", "--with-warehouse"])

    with pytest.raises(SystemExit) as ended:
        cli.main()

    assert ended.value.code == 2
    assert "laptop, which has its own" in capsys.readouterr().err


def test_a_deployment_is_given_its_stack_and_its_parameters(
    no_stack: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert no_stack.stage == "local"
    given: dict[str, Any] = {}

    def deploy(settings: Settings, **options: Any) -> DeployResult:
        given.update(options, stage=settings.stage)
        return DeployResult(StackResult("created", (), {}), ())

    monkeypatch.setattr("command.deploy.deploy.deploy", deploy)
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    words = ["deploy", "--stage", "aws", "--with-warehouse", "--warehouse-parameter", "BaseCapacity=8"]
    words += [
        "--parameter",
        "DagsterRoleName=task",
        "--parameter",
        "EncryptionKey=own",
        "--alert-email",
        "a@b.c",
    ]

    answer = CliRunner().invoke(cli.app, words)

    assert answer.exit_code == 0, answer.output
    assert given["stage"] == "aws"
    assert given["warehouse"] == WarehouseStack(None, {"BaseCapacity": "8"})
    assert given["parameters"] == {
        "DagsterRoleName": "task",
        "EncryptionKey": "own",
        "AlertEmail": "a@b.c",
    }
    assert isinstance(given["review"], Terminal)


def test_nothing_is_asked_on_a_laptop(no_stack: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    assert no_stack.stage == "local"
    given: dict[str, Any] = {}

    def deploy(_settings: Settings, **options: Any) -> DeployResult:
        given.update(options)
        return DeployResult(StackResult("created", (), {}), ())

    monkeypatch.setattr("command.deploy.deploy.deploy", deploy)

    assert CliRunner().invoke(cli.app, ["deploy"]).exit_code == 0
    assert given["review"] is None


@pytest.mark.parametrize(("command", "instead"), [("destroy", "make clean"), ("preflight", "airline doctor")])
def test_what_an_account_alone_has_is_a_wrong_call_on_a_laptop(airline, command: str, instead: str) -> None:
    status, out, err = airline(command, "--stage", "local")

    assert (status, out) == (2, "")
    assert instead in err


@pytest.mark.parametrize(("outcome", "expected"), [("fails", 1), ("unknown", 0), ("later", 0)])
def test_a_preflight_ends_with_1_when_something_would_fail(
    monkeypatch: pytest.MonkeyPatch, outcome: Any, expected: int
) -> None:
    found = (Finding("identity", "ok", "me"), Finding("bucket x", outcome, "403", "Choose another name."))
    monkeypatch.setattr("command.deploy.preflight.run.preflight", lambda *_, **__: found)

    answer = CliRunner().invoke(cli.app, ["preflight"])

    assert answer.exit_code == expected
    assert "Choose another name." in answer.output


@pytest.mark.parametrize("typed", ["another-one\n", "\n", ""])
def test_nothing_is_destroyed_until_the_stacks_name_is_typed(
    monkeypatch: pytest.MonkeyPatch, airline, typed: str
) -> None:
    fates = (Fate("", "bucket", "airline-lake", "kept"),)
    destroyed: list[str] = []
    monkeypatch.setattr(
        "command.deploy.destroy.plan_destruction", lambda *_, **__: Destruction(("airline",), (), fates)
    )
    monkeypatch.setattr("command.deploy.destroy.destroy", lambda *_, **__: destroyed.append("airline"))
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))

    status, out, err = airline("destroy")

    assert (status, destroyed) == (2, [])
    assert "airline-lake" in out
    assert "nothing was destroyed" in err
    monkeypatch.setattr("sys.stdin", io.StringIO("airline\n"))
    status, out, _ = airline("destroy")
    assert (status, destroyed) == (0, ["airline"])
    assert "Kept: bucket airline-lake." in out
