"""The page about permissions is the table."""

from pathlib import Path

from command.deploy.permissions.ours import our_calls
from command.deploy.permissions.page import page
from command.deploy.permissions.theirs import their_calls

PAGE = Path(__file__).parents[5] / "docs" / "permissions.md"


def test_the_page_is_what_the_table_says() -> None:
    assert PAGE.read_text() == page(), "run `make docs`"


def test_every_call_is_on_it_with_who_makes_it_and_what_asks_for_it() -> None:
    lines = page().splitlines()
    for call in (*our_calls(), *their_calls()):
        parts = (call.iam_action, call.operation, call.called_by, call.document, *call.resources)
        assert [line for line in lines if all(part in line for part in parts)], call
