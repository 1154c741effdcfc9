"""What is tried in a deployment is what its roles may do, and every failure is a row with a remedy."""

import ast
from collections.abc import Callable
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
from botocore.stub import ANY, Stubber
from template_evaluation import evaluate, parsed

import glue_jobs
from airline_platform.errors import AirlineError, GlueJobFailed
from airline_platform.settings import Settings
from command.deploy.preflight import trial
from command.deploy.preflight.finding import Untried, tried
from command.deploy.template import render_warehouse
from resources.lake import Lake

Stubbed = Callable[[Any, str], Stubber]


@pytest.fixture
def lake(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A lake that remembers each object that is written, and each prefix that is removed, after a `-`."""
    touched: list[str] = []
    monkeypatch.setattr(Lake, "put_bytes", lambda it, path, *_: touched.append(path) or it.uri(path))
    monkeypatch.setattr(Lake, "remove", lambda _, prefix: touched.append(f"-{prefix}"))
    return touched


def test_what_is_copied_lies_where_the_role_of_copy_reads_and_all_of_it_is_removed(
    no_stack: Settings, lake: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Refusing:
        @contextmanager
        def transaction(self) -> Any:
            raise AirlineError("refused", remedy="Look.")
            yield

    monkeypatch.setattr(trial.Warehouse, "of", lambda _settings: Refusing())
    with pytest.raises(AirlineError, match="refused"):
        trial.copy_one_row(no_stack)

    written = [path for path in lake if not path.startswith("-")]
    removed = [path[1:] for path in lake if path.startswith("-")]
    role = evaluate(parsed(render_warehouse())).statements()
    (readable,) = (it["Resource"] for _, it in role if it.get("Sid") == "ReadWhatIsLoaded")
    assert len(written) == 2
    for path in written:
        assert any(fnmatchcase(f"arn:aws:s3:::airline-lake/{path}", pattern) for pattern in readable), path
        assert any(path.startswith(prefix) for prefix in removed), path


@pytest.fixture
def glue(stubbed: Stubbed, lake: list[str]) -> Stubber:
    assert lake == []
    return stubbed(trial, "glue")


def run(state: str, **more: Any) -> dict[str, Any]:
    return {"JobRun": {"Id": "jr_1", "JobRunState": state, **more}}


def test_a_job_run_over_nothing_has_every_argument_the_script_asks_for(
    glue: Stubber, no_stack: Settings, lake: list[str]
) -> None:
    program = ast.parse((Path(glue_jobs.__file__).parent / "program.py").read_text())
    (options,) = (
        ast.literal_eval(node.value)
        for node in program.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "OPTIONS"
    )
    given: dict[str, str] = {}
    glue.client.meta.events.register(
        "provide-client-params.glue.StartJobRun", lambda params, **_: given.update(params["Arguments"])
    )
    glue.add_response(
        "start_job_run", {"JobRunId": "jr_1"}, {"JobName": "airline-airports", "Arguments": ANY}
    )
    glue.add_response("get_job_run", run("RUNNING"))
    glue.add_response("get_job_run", run("SUCCEEDED", ExecutionTime=41))

    assert trial.run_over_nothing(no_stack) == "run jr_1 succeeded after 41 s"

    assert options
    assert {f"--{name}" for name in [*options, "caller"]} <= set(given)
    assert not trial.FEED.dimensions
    assert not trial.FEED.hashed
    written = next(path for path in lake if path.endswith(".manifest"))
    assert any(path.startswith("-") and written.startswith(path[1:]) for path in lake)


def test_a_job_run_that_fails_says_where_its_log_is(glue: Stubber, no_stack: Settings) -> None:
    glue.add_response("start_job_run", {"JobRunId": "jr_1"})
    glue.add_response("get_job_run", run("FAILED", ErrorMessage="AccessDenied"))

    with pytest.raises(GlueJobFailed, match="ended with FAILED: AccessDenied") as failed:
        trial.run_over_nothing(no_stack)
    assert "/airline/glue-jobs/output" in failed.value.remedy


def test_a_job_that_works_for_somebody_else_is_not_called_broken(glue: Stubber, no_stack: Settings) -> None:
    glue.add_client_error("start_job_run", "ConcurrentRunsExceededException")

    found = tried("a job run", lambda: trial.run_over_nothing(no_stack), "")

    assert found.outcome == "unknown"


def test_what_fails_keeps_nothing_else_from_being_tried(
    no_stack: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_settings: Settings) -> str:
        raise OSError("no way to the warehouse")

    def busy(_settings: Settings) -> str:
        raise Untried("busy")

    monkeypatch.setattr(trial, "copy_one_row", refuse)
    monkeypatch.setattr(trial, "select_one", lambda _settings: "answered")
    monkeypatch.setattr(trial, "run_over_nothing", busy)

    assert [it.outcome for it in trial.trials(no_stack)] == ["fails", "ok", "unknown"]
