"""Writes `docs/feeds.md`: every feed and table with its columns, from their declarations (`make docs`)."""

import sys
from collections.abc import Iterable, Iterator

from airline_platform.feeds import FEEDS, Feed
from airline_platform.tables import Column, Table

INTRODUCTION = """# Feeds and tables
What lands, and what it becomes. This page is written from `airline_platform/feeds.py` by `make docs`; a test
compares the two. Times are in UTC, dates are `YYYY-MM-DD`, a decimal has a point and at most three decimals.
"""


def page() -> str:
    """The page, in Markdown."""
    return "\n".join([INTRODUCTION, *(line for feed in FEEDS.values() for line in _feed(feed))])


def _feed(feed: Feed) -> Iterator[str]:
    keys = f"`{feed.prefix}<file>.csv`"
    if feed.daily:
        keys = f"`{feed.prefix}date=YYYY-MM-DD/<file>.csv` or `{feed.prefix}YYYY-MM-DD.csv`"
    yield f"## {feed.name}"
    share = f"{feed.max_rejected_share:.0%}"
    yield f"Lands as {keys}, or `.csv.gz`. More than {share} rejected rows block a load."
    if feed.personal:
        yield "It identifies people: those columns stay in the landing bucket."
    yield ""
    yield from _columns("column of the file", feed.columns, rules=True)
    for table in feed.tables:
        yield from _table(table)


def _table(table: Table) -> Iterator[str]:
    facts = [f"replaced by `{table.partition_column}`"] if table.partition_column else []
    facts += [f"key {', '.join(f'`{name}`' for name in table.key)}"] if table.key else []
    facts += [f"distributed by `{table.dist_key}`"] if table.dist_key else ["a copy on every node"]
    facts += [f"sorted by {', '.join(f'`{name}`' for name in table.sort_key)}"]
    yield f"### {table.qualified_name}"
    yield f"{table.description} {'; '.join(facts).capitalize()}."
    yield ""
    yield from _columns("column", table.columns, rules=False)


def _columns(title: str, columns: Iterable[Column], *, rules: bool) -> Iterator[str]:
    yield f"| {title} | type | may be empty | is |"
    yield "|---|---|---|---|"
    for column in columns:
        kind = column.glue_type if rules else column.redshift_type
        empty = "no" if column.required else "yes"
        yield f"| `{column.name}` | {kind} | {empty} | {' '.join(_meaning(column, rules=rules))} |"
    yield ""


def _meaning(column: Column, *, rules: bool) -> Iterator[str]:
    yield column.description
    if not rules:
        return
    if column.type == "string":
        yield f"At most {column.length} bytes."
    if column.one_of:
        shown = column.one_of if len(column.one_of) <= 10 else (*column.one_of[:10], "…")  # noqa: PLR2004
        yield f"One of {', '.join(shown)}."
    if column.pattern:
        yield f"{column.pattern[1].capitalize()}."
    if column.minimum is not None:
        yield f"{column.minimum} or more."
    if column.personal:
        yield "Identifies a person."


if __name__ == "__main__":
    sys.stdout.write(page())
