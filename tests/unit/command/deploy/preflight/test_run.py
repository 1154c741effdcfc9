"""What is asked follows from what is there already."""

from collections.abc import Callable
from typing import Any

import pytest

from airline_platform.settings import Settings
from command.deploy.preflight import run
from command.deploy.preflight.account import Caller
from command.deploy.preflight.finding import Finding

OK = Finding("x", "ok", "")


@pytest.fixture
def asked(no_stack: Settings, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Any]]:
    """Run a preflight over stacks of given states; what it asked for, in its order."""
    account = no_stack.model_copy(update={"stage": "aws"})

    def preflight(states: dict[str, str | None], **options: bool) -> list[Any]:
        seen: list[Any] = []
        monkeypatch.setattr(
            run.account, "who_calls", lambda _: (OK, Caller("0" * 12, "arn:aws:iam::0:user/me"))
        )
        monkeypatch.setattr(run.account, "region", lambda _: OK)
        monkeypatch.setattr(run, "_stack", lambda _, name: (OK, states[name]))
        monkeypatch.setattr(run.names, "buckets", lambda *_, **said: seen.append(("buckets", said)) or ())
        monkeypatch.setattr(run.names, "secrets", lambda _: ())
        monkeypatch.setattr(run.names, "others", lambda *_, **said: seen.append(("names", said)) or OK)
        monkeypatch.setattr(run.account, "quotas", lambda *_, **said: seen.append(("quotas", said)) or ())
        monkeypatch.setattr(run, "rights", lambda *_, **said: seen.append(("rights", said)) or ())
        monkeypatch.setattr(run, "trials", lambda *_: seen.append("trials") or ())
        run.preflight(account, **options)
        return seen

    return preflight


def test_nothing_is_tried_before_the_first_deployment(asked: Callable[..., list[Any]]) -> None:
    made = {"platform": True, "warehouse": False}

    assert asked({"airline": "DELETE_COMPLETE"}) == [
        ("buckets", {"deployed": False}),
        ("names", made),
        ("quotas", made),
        ("rights", {"with_warehouse": False}),
    ]


def test_of_a_deployment_that_is_there_no_name_is_asked_for_and_everything_tried(
    asked: Callable[..., list[Any]],
) -> None:
    assert asked({"airline": "UPDATE_COMPLETE"}) == [
        ("buckets", {"deployed": True}),
        ("rights", {"with_warehouse": False}),
        "trials",
    ]


def test_a_warehouse_that_joins_a_deployment_has_its_own_names_and_quotas_asked_for(
    asked: Callable[..., list[Any]],
) -> None:
    joining = {"platform": False, "warehouse": True}

    seen = asked({"airline": "CREATE_COMPLETE", "airline-warehouse": "DELETE_COMPLETE"}, with_warehouse=True)

    assert ("names", joining) in seen
    assert ("quotas", joining) in seen


@pytest.mark.parametrize(
    "status",
    ["DELETE_FAILED", "CREATE_FAILED", "ROLLBACK_FAILED", "ROLLBACK_COMPLETE", "IMPORT_ROLLBACK_COMPLETE"],
)
def test_of_a_stack_that_is_made_anew_the_names_are_asked_for(
    asked: Callable[..., list[Any]], status: str
) -> None:
    assert ("names", {"platform": True, "warehouse": False}) in asked({"airline": status})


@pytest.mark.parametrize("status", ["UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_FAILED", None])
def test_a_stack_that_is_not_complete_is_not_tried(
    asked: Callable[..., list[Any]], status: str | None
) -> None:
    assert "trials" not in asked({"airline": status})
