"""An asset's description answers what people ask, and its links lead to where the thing is."""

from typing import Any

import pytest
from dagster import MetadataValue

from airline_platform.contract.table import Column, Table
from airline_platform.settings import get_settings
from assets.description import (
    catalog_link,
    column_schema,
    describe,
    job_run_link,
    query_link,
    s3_link,
    table_metadata,
)
from assets.lineage import LINEAGE

pytestmark = pytest.mark.usefixtures("no_stack")

COLUMNS = (
    Column("day", "date", "Day of the flights.", required=True),
    Column("delay", "decimal", "Delay in minutes."),
)
SOURCES = {"delay": [("fact", "dep_delay"), ("fact", "arr_delay")]}


def test_a_description_answers_four_questions_in_one_order() -> None:
    parts = describe("One row per day.", source="the fact.", mind="nothing.", fresh="daily.").split("\n\n")

    assert parts == [
        "One row per day.",
        "**From:** the fact.",
        "**Fresh:** daily.",
        "**Mind:** nothing.",
        "**Owner:** team:data-platform.",
    ]


def test_the_columns_of_an_asset_have_type_meaning_constraint_and_sources() -> None:
    day, delay = column_schema(COLUMNS, SOURCES).columns

    assert (day.name, day.type, day.description, day.constraints.nullable) == (
        "day",
        "date",
        "Day of the flights.",
        False,
    )
    assert (delay.type, delay.constraints.nullable) == ("decimal(14,3)", True)
    assert (list(day.tags), list(delay.tags)) == ([], ["from fact.dep_delay", "from fact.arr_delay"])


def test_a_table_says_where_it_is_and_what_its_columns_are_made_of() -> None:
    metadata = table_metadata(Table("delays", "One row per day.", COLUMNS), SOURCES)

    assert metadata["dagster/relation_identifier"] == "airlines.delays"
    (deps,) = metadata[LINEAGE].deps_by_column.values()
    assert {dep.column_name for dep in deps} == {"dep_delay", "arr_delay"}


LINKS = [
    (lambda: s3_link("lake", "a/"), MetadataValue.path("s3://lake/a/"), "s3/buckets/lake"),
    (lambda: job_run_link("job", "jr_1"), MetadataValue.text("jr_1"), "#/job/job/run/jr_1"),
    (lambda: query_link("q1"), MetadataValue.text("q1"), "#/query-editor/history/q1"),
    (lambda: catalog_link("db"), MetadataValue.text("db"), "#/v2/data-catalog/databases/view/db"),
]


@pytest.mark.parametrize(("link", "on_a_laptop", "in_the_console"), LINKS)
def test_a_link_is_a_page_of_the_console_in_an_account_and_a_name_on_a_laptop(
    link: Any, on_a_laptop: MetadataValue, in_the_console: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert link() == on_a_laptop

    monkeypatch.setenv("AIRLINE_STAGE", "aws")
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    get_settings.cache_clear()

    address = link().value
    assert address.startswith("https://eu-central-1.console.aws.amazon.com/")
    assert in_the_console in address
