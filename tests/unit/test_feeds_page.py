"""The page about feeds says what is declared."""

from pathlib import Path

from airline_platform.feeds import FEEDS
from airline_platform.feeds_page import page

PAGE = Path(__file__).parents[2] / "docs" / "feeds.md"


def test_the_page_is_what_the_declarations_say() -> None:
    assert PAGE.read_text() == page(), "run `make docs`"


def test_every_column_of_every_file_and_table_is_on_it() -> None:
    text = page()
    declared = {column for feed in FEEDS.values() for column in feed.columns}
    declared |= {column for feed in FEEDS.values() for table in feed.tables for column in table.columns}

    assert [c.name for c in declared if f"| `{c.name}` |" not in text or c.description not in text] == []
