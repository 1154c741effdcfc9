"""Writes `docs/feeds.md`: every feed, table and mart with its columns, from its declaration (`make docs`)."""

import sys
from collections.abc import Callable, Iterable, Iterator

from airline_platform.contract.feed import Feed
from airline_platform.contract.table import Column, Table
from airline_platform.feeds import FEEDS
from assets.marts.declarations import MARTS
from assets.marts.mart import Mart

INTRODUCTION = """# Feeds and tables
What lands, what it becomes, and what is read from that. `make docs` writes this page from the declarations
in `airline_platform/feeds` and `assets/marts`; a test compares them. Times are in UTC, dates are `YYYY-MM-DD`
where nothing else is said, a decimal has a point and at most three decimals.

A row of which a value is not as its column says is a reject, with the reason. What holds for every
column: white space and characters nobody sees do not count at the ends of a string, letters are composed
(NFC), and inside there is no control and no invisible character. Whole numbers lie within
±9,007,199,254,740,991, and years from 1900 to 2100.
"""

MARTS_INTRODUCTION = """## marts
Tables that answer what people ask; Dagster makes a day of them anew when that day of their source was loaded.
"""


def page() -> str:
    """Write the page, in Markdown."""
    feeds = (line for feed in FEEDS.values() for line in _feed(feed))
    marts = (line for mart in MARTS.values() for line in _mart(mart))
    return "\n".join([INTRODUCTION, *feeds, MARTS_INTRODUCTION, *marts])


def _feed(feed: Feed) -> Iterator[str]:
    plain, packed = feed.suffixes
    keys = f"`{feed.prefix}<file>{plain}`"
    if feed.daily:
        keys = f"`{feed.prefix}date=YYYY-MM-DD/<file>{plain}` or `{feed.prefix}YYYY-MM-DD{plain}`"
    yield f"## {feed.name}"
    yield f"Lands as {keys}, or `{packed}`; the suffix may be in capitals."
    yield f"More than {feed.max_rejected_share:.0%} rejected rows keep a file from being loaded."
    if feed.format == "json":
        yield "An object a line, or one array of objects; a field that is not among these rejects its row."
    if feed.personal:
        yield "It identifies people: those columns stay in the landing bucket."
    if feed.expires:
        yield "Its files are deleted after `AIRLINE_PEOPLE_DAYS` days."
    yield ""
    if feed.format == "json":
        yield from _columns("field of an object", feed.columns, _json_type, rules=True)
    else:
        yield from _columns("column of the file", feed.columns, _glue_type, rules=True)
    for table in feed.tables:
        yield from _warehouse_table(table)
    if feed.typed:
        people = ", people and all" if feed.personal else ""
        expires = ", and expires with what landed" if feed.expires else ""
        yield from _lake_table(
            feed.typed, f"It stands in the landing bucket under `{feed.typed_prefix}`{people}{expires}."
        )
        yield from _lake_table(feed.table, f"It stands in the lake under `{feed.table.name}/`.")


def _mart(mart: Mart) -> Iterator[str]:
    query = f"[{mart.table.name}.sql](../assets/marts/sql/{mart.table.name}.sql)"
    yield from _warehouse_table(
        mart.table, f"Read from `{mart.source.qualified_name}` by {query}. {mart.caveats}"
    )


def _warehouse_table(table: Table, more: str = "") -> Iterator[str]:
    facts = _facts(table)
    facts += [f"distributed by `{table.dist_key}`"] if table.dist_key else ["a copy on every node"]
    facts += [f"sorted by {', '.join(f'`{name}`' for name in table.sort_key)}"]
    yield f"### {table.qualified_name}"
    yield f"{table.description} {'; '.join(facts).capitalize()}."
    if more:
        yield more
    yield ""
    yield from _columns("column", table.columns, lambda column: column.redshift_type, rules=False)


def _lake_table(table: Table, place: str) -> Iterator[str]:
    yield f"### {table.name}"
    facts = ["a partition per day", *_facts(table)]
    yield f"{table.description} {place} Parquet in the Data Catalog, {'; '.join(facts)}."
    yield ""
    yield from _columns("column", table.columns, _glue_type, rules=False)


def _facts(table: Table) -> list[str]:
    facts = [f"replaced by `{table.partition_column}`"] if table.partition_column else []
    return facts + ([f"key {', '.join(f'`{name}`' for name in table.key)}"] if table.key else [])


def _columns(
    title: str, columns: Iterable[Column], kind: Callable[[Column], str], *, rules: bool
) -> Iterator[str]:
    yield f"| {title} | type | may be empty | is |"
    yield "|---|---|---|---|"
    for column in columns:
        empty = "no" if column.required else "yes"
        yield f"| `{column.name}` | {kind(column)} | {empty} | {' '.join(_meaning(column, rules=rules))} |"
    yield ""


def _glue_type(column: Column) -> str:
    return column.glue_type


def _json_type(column: Column) -> str:
    """Say how a value is written in JSON, and of which type it is."""
    if column.type == "string":
        return "string"
    if column.type in ("bigint", "decimal"):
        return f"number: {column.glue_type}"
    return f"string: {column.type}"


def _meaning(column: Column, *, rules: bool) -> Iterator[str]:
    yield column.description
    if rules:
        yield from _rules(column)
    if column.personal:
        yield "Identifies a person."


def _rules(column: Column) -> Iterator[str]:
    if column.type == "date" and column.separator != "-":
        yield f"{column.separator.join(('YYYY', 'MM', 'DD'))}."
    if column.type == "string":
        yield f"At most {column.length} bytes."
    if column.one_of:
        shown = column.one_of if len(column.one_of) <= 10 else (*column.one_of[:10], "…")  # noqa: PLR2004
        yield f"One of {', '.join(shown)}."
    if column.pattern:
        yield f"{column.pattern[1].capitalize()}."
    if column.several_lines:
        yield "May have several lines."
    if column.minimum is not None and column.maximum is not None:
        yield f"{column.minimum:,} to {column.maximum:,}."
    elif column.minimum is not None:
        yield f"{column.minimum:,} or more."
    elif column.maximum is not None:
        yield f"{column.maximum:,} or less."


if __name__ == "__main__":
    sys.stdout.write(page())
