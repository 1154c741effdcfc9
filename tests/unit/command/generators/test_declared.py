"""A feed that is declared and has no module of its own is generated from its declaration."""

import csv
import io
import json
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from airline_platform.contract.feed import Feed
from airline_platform.contract.reading import Reading
from airline_platform.contract.sink import FactTable
from airline_platform.contract.table import Column, Table
from airline_platform.errors import WrongCall
from airline_platform.feeds import FEEDS
from command.generators import declared, flights
from command.generators.declared import VOCABULARY
from command.generators.dirt import Dirt
from command.generators.files import Order, generate_files, recipe_of, summary
from resources.acceptance.heads import judge
from resources.acceptance.verdicts import Accepted

DAY = date(2013, 1, 1)

COLUMNS = (
    Column("ride_id", "string", "Names the ride.", required=True, length=24),
    Column("train_number", "bigint", "Number of the train.", required=True, minimum=1, maximum=99),
    Column("delay", "bigint", "Minutes.", maximum=600),
    Column("fare", "decimal", "In dollars.", required=True, minimum=0),
    Column("class", "string", "Class.", required=True, one_of=("FIRST", "SECOND")),
    Column("note", "string", "What the guard says.", length=4),
    Column("rode_on", "date", "Day of the ride.", required=True, separator="/", years=(2000, 2050)),
    Column("booked_at", "timestamp", "When it was booked, in UTC.", required=True),
)

RIDES = Feed(
    name="rides",
    prefix="rides/",
    noun="rides",
    columns=COLUMNS,
    becomes=FactTable(
        table=Table(
            "fact_rides",
            "One row per ride.",
            partition_column="ride_date",
            key=("ride_id",),
            sort_key=("rode_on",),
        )
    ),
)
OTHERWISE = Reading(
    delimiter=";", quote="", encoding="latin-1", decimal_comma=True, dates="DD.MM.YYYY", skip_lines=2
)
PLAIN = replace(RIDES, columns=tuple(replace(column, separator="-") for column in COLUMNS))
FEEDS_OF_TEST = [
    RIDES,
    replace(RIDES, format="json"),
    replace(PLAIN, reading=OTHERWISE),
    replace(PLAIN, reading=Reading(delimiter="\t", dates="MM/DD/YYYY")),
]

each_way = pytest.mark.parametrize("feed", FEEDS_OF_TEST, ids=["csv", "json", "otherwise", "tabs"])


def generate(feed: Feed, out: Path, monkeypatch: pytest.MonkeyPatch, **options: Any) -> dict[str, Any]:
    monkeypatch.setitem(FEEDS, feed.name, feed)
    order = Order(feed.name, DAY, DAY, out, **options)
    return summary(order, generate_files(order, lambda _: None).values())


def only_file(feed: Feed, out: Path) -> bytes:
    (path,) = (out / feed.prefix / f"date={DAY}").iterdir()
    return path.read_bytes()


def rows_of(feed: Feed, body: bytes) -> list[dict[str, str]]:
    """The rows of a clean file, as text."""
    text = body.decode(feed.reading.encoding)
    if feed.format == "json":
        objects = [json.loads(line, parse_int=str, parse_float=str) for line in text.splitlines()]
        return [{name: value or "" for name, value in each.items()} for each in objects]
    lines = io.StringIO("".join(text.splitlines(keepends=True)[feed.reading.skip_lines :]))
    return list(csv.DictReader(lines, delimiter=feed.reading.delimiter))


def problem(column: Column, reading: Reading, text: str) -> str | None:
    """What the column has against a value, judged apart from what made it up."""
    if not text:
        return "missing" if column.required else None
    if column.one_of:
        return None if text in column.one_of else "not_among"
    if column.type == "string":
        return None if len(text.encode()) <= column.length else "too_long"
    if column.type in ("date", "timestamp"):
        return None if is_in_years(column, reading, text) else "no_such_day"
    return problem_of_number(column, text.replace(",", ".") if reading.decimal_comma else text)


def is_in_years(column: Column, reading: Reading, text: str) -> bool:
    form = reading.dates or column.separator.join(("YYYY", "MM", "DD"))
    pattern = form.replace("YYYY", "%Y").replace("MM", "%m").replace("DD", "%d")
    time = "" if column.type == "date" else " %H:%M:%S"
    try:
        day = datetime.strptime(text, pattern + time)  # noqa: DTZ007 - as it is written
    except ValueError:
        return False
    return column.years[0] <= day.year <= column.years[1]


def problem_of_number(column: Column, text: str) -> str | None:
    try:
        number = Decimal(text)
    except ArithmeticError:
        return "not_a_number"
    if column.minimum is not None and number < column.minimum:
        return "below_minimum"
    return "above_maximum" if column.maximum is not None and number > column.maximum else None


@each_way
def test_its_file_is_accepted_like_any_that_lands_with_every_row(
    feed: Feed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    figures = generate(feed, tmp_path, monkeypatch, rows=300)
    body = only_file(feed, tmp_path)

    verdict = judge(feed, [body], len(body))

    assert isinstance(verdict, Accepted), verdict
    assert verdict.rows == figures["rows"] == 300


@each_way
def test_every_value_is_as_its_column_says_and_some_are_empty_that_may_be(
    feed: Feed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    generate(feed, tmp_path, monkeypatch, rows=300)
    rows = rows_of(feed, only_file(feed, tmp_path))

    problems = [
        (column.name, row[column.name])
        for row in rows
        for column in feed.columns
        if problem(column, feed.reading, row[column.name])
    ]
    assert problems == []
    assert {c.name for c in feed.columns if "" in {row[c.name] for row in rows}} == {"delay", "note"}
    assert {row["class"] for row in rows} == {"FIRST", "SECOND"}


@each_way
def test_a_dirty_file_is_accepted_and_has_the_dirt_that_was_announced(
    feed: Feed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    figures = generate(feed, tmp_path, monkeypatch, dirty=True)
    body = only_file(feed, tmp_path)

    verdict = judge(feed, [body], len(body))

    assert isinstance(verdict, Accepted), verdict
    assert verdict.rows == 1_000
    assert 0 < figures["rejected"] <= 20
    assert figures["rejected"] / 1_000 < feed.max_rejected_share


def spoilt(feed: Feed, dirt: Dirt) -> str | tuple[str, ...]:
    row, other = recipe_of(feed).make(1, 2).day(DAY)
    return dirt.spoil(row, other)


@each_way
def test_each_kind_of_dirt_breaks_the_rule_of_the_column_it_names_and_no_other(feed: Feed) -> None:
    checked = 0
    for dirt in recipe_of(feed).dirt:
        line = spoilt(feed, dirt)
        if isinstance(line, str) or dirt.kind == "spaces_around_fields":
            continue
        texts = [json.loads(text, parse_int=str) or "" for text in line] if feed.format == "json" else line
        problems = {
            f"{column.name}_{found}"
            for column, text in zip(feed.columns, texts, strict=True)
            if (found := problem(column, feed.reading, text))
        }
        assert problems == {dirt.kind}
        checked += 1

    assert checked == 18


def test_dirt_is_only_what_the_declaration_forbids() -> None:
    kinds = {dirt.kind for dirt in recipe_of(RIDES).dirt if dirt.kind.startswith(("delay_", "note_"))}

    assert kinds == {"delay_not_a_number", "delay_above_maximum", "note_too_long"}


def test_what_names_a_row_is_said_once_on_any_day() -> None:
    source = recipe_of(RIDES).make(1, 500)

    ids = [row[0] for day in (DAY, date(2013, 1, 2)) for row in source.day(day)]

    assert len(set(ids)) == len(ids) == 1_000


def test_a_seed_and_a_day_always_have_the_same_rows_and_others_have_others() -> None:
    def rows(seed: int, day: date) -> list[tuple[str, ...]]:
        return list(recipe_of(RIDES).make(seed, 50).day(day))

    assert rows(1, DAY) == rows(1, DAY)
    assert rows(1, DAY) != rows(2, DAY)
    assert rows(1, DAY) != rows(1, date(2013, 1, 2))


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        ({}, (0, 1_000)),
        ({"minimum": 5}, (5, 1_005)),
        ({"maximum": 5}, (-995, 5)),
        ({"maximum": 99_999}, (0, 99_999)),
        ({"minimum": -3, "maximum": 3}, (-3, 3)),
    ],
)
def test_numbers_lie_where_the_declaration_lets_them(
    bounds: dict[str, int], expected: tuple[int, int]
) -> None:
    assert declared.bounds(Column("n", "bigint", "A number.", **bounds)) == expected


def test_a_decimal_has_no_more_digits_than_its_column() -> None:
    assert declared.bounds(Column("n", "decimal", "A number.", digits=5)) == (0, 99)


def test_there_is_a_word_of_any_length() -> None:
    assert min(len(word) for word in VOCABULARY) == 1


def test_a_column_with_a_pattern_is_a_wrong_call_that_names_it_and_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = Column("code", "string", "A code.", pattern=("[A-Z]{3}", "three letters"))

    with pytest.raises(WrongCall, match="got rides with a pattern for code") as wrong:
        generate(replace(RIDES, columns=(*COLUMNS, code)), tmp_path / "out", monkeypatch)

    assert "command/generators/rides.py" in wrong.value.remedy
    assert not (tmp_path / "out").exists()


def test_a_module_of_the_feeds_name_comes_first_and_others_here_are_no_recipes() -> None:
    assert recipe_of(FEEDS["flights"]) is flights.RECIPE
    assert recipe_of(replace(RIDES, name="network")).rows == declared.ROWS
