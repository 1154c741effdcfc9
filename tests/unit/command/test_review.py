"""A person sees a stack's changes, answers, and sees each resource; a machine is told how to answer."""

import io
from datetime import UTC, datetime, timedelta

import pytest

from airline_platform.errors import WrongCall
from command.deploy.change_set import Change, changes_of
from command.deploy.progress import ResourceEvent
from command.review import Terminal

CHANGES = (Change("Modify", "LakeBucket", "AWS::S3::Bucket", "yes"),)
AT = datetime(2013, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(("typed", "approved"), [("y\n", True), ("n\n", False), ("\n", False)])
def test_the_changes_are_shown_and_the_answer_decides(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *, typed: str, approved: bool
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))

    assert Terminal(yes=False).approves("airline", CHANGES) is approved

    shown = capsys.readouterr().out
    assert "Changes of stack airline" in shown
    for word in (
        "action",
        "resource",
        "type",
        "replacement",
        "Modify",
        "LakeBucket",
        "AWS::S3::Bucket",
        "yes",
    ):
        assert word in shown


def test_a_machine_says_yes_beforehand_and_the_changes_are_in_its_log(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(""))

    assert Terminal(yes=True).approves("airline", CHANGES)
    assert "LakeBucket" in capsys.readouterr().out
    with pytest.raises(WrongCall, match="found the end of the input") as alone:
        Terminal(yes=False).approves("airline", CHANGES)
    assert "--yes" in alone.value.remedy


def test_each_resource_that_is_done_is_a_line_with_its_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    with Terminal(yes=True).following("airline", 2) as see:
        see(ResourceEvent("airline", "AWS::CloudFormation::Stack", "CREATE_COMPLETE", AT))
        see(ResourceEvent("LakeBucket", "AWS::S3::Bucket", "CREATE_IN_PROGRESS", AT))
        see(ResourceEvent("LakeBucket", "AWS::S3::Bucket", "CREATE_COMPLETE", AT + timedelta(seconds=21)))

    shown = capsys.readouterr().err
    assert "LakeBucket  AWS::S3::Bucket  CREATE_COMPLETE  21 s" in shown
    assert "1/2" in shown
    assert "AWS::CloudFormation::Stack" not in shown


def test_what_may_lose_something_is_shown_first() -> None:
    def change(action: str, resource: str, **more: str) -> dict:
        return {
            "ResourceChange": {"Action": action, "LogicalResourceId": resource, "ResourceType": "T", **more}
        }

    found = changes_of(
        [
            change("Add", "A"),
            change("Modify", "B", Replacement="False"),
            change("Modify", "C", Replacement="True"),
            change("Remove", "D"),
            {"Type": "Hook"},
        ]
    )

    assert [(it.resource, it.replacement) for it in found] == [
        ("D", ""),
        ("C", "yes"),
        ("B", "no"),
        ("A", ""),
    ]
