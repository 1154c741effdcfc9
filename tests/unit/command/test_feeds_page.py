"""The page about feeds says what is declared."""

import re
from pathlib import Path

import pytest

from airline_platform.feeds import FEEDS
from assets.marts.declarations import MARTS
from assets.marts.mart import Mart
from command.feeds_page import page

IN_LAKE = [table for feed in FEEDS.values() if feed.typed for table in (feed.typed, feed.table)]
TABLES = [
    *IN_LAKE,
    *(table for feed in FEEDS.values() for table in feed.tables),
    *(mart.table for mart in MARTS.values()),
]
PAGE = Path(__file__).parents[3] / "docs" / "feeds.md"


def test_the_page_is_what_the_declarations_say() -> None:
    assert PAGE.read_text() == page(), "run `make docs`"


def test_every_column_of_every_file_and_table_is_on_it() -> None:
    text = page()
    declared = {column for feed in FEEDS.values() for column in feed.columns}
    declared |= {column for table in TABLES for column in table.columns}

    assert [c.name for c in declared if f"| `{c.name}` |" not in text or c.description not in text] == []


def test_every_table_is_on_it_where_it_stands_and_with_its_engines_types() -> None:
    for table in TABLES:
        in_lake = table in IN_LAKE
        (found,) = [part for part in page().split("\n### ") if part.split("\n")[0].endswith(table.name)]
        assert found.startswith(table.name if in_lake else table.qualified_name)
        assert ("in the Data Catalog" in found) == in_lake
        for column in table.columns:
            kind = column.glue_type if in_lake else column.redshift_type
            assert f"| `{column.name}` | {kind} | {'no' if column.required else 'yes'} | " in found


@pytest.mark.parametrize("mart", MARTS.values(), ids=list(MARTS))
def test_a_mart_says_what_it_is_read_from_by_which_query_and_what_to_mind(mart: Mart) -> None:
    (found,) = [part for part in page().split("\n### ") if part.startswith(mart.table.qualified_name)]

    (query,) = re.findall(rf"Read from `{mart.source.qualified_name}` by \[.*\]\((.*)\)", found)
    assert (PAGE.parent / query).is_file()
    assert mart.caveats in found


def test_a_table_with_people_says_so_and_where_it_stands() -> None:
    text = page()

    assert (
        "It stands in the landing bucket under `shipments/shipments_parquet/`, people and all, "
        "and expires with what landed."
    ) in text
    assert text.count("| `customer_name` | string | yes | Name of the customer.") == 2


def test_a_json_feed_has_fields_with_their_json_types_and_their_own_dates() -> None:
    (shipments,) = [part for part in page().split("\n## ") if part.startswith("shipments\n")]

    assert (
        "`shipments/date=YYYY-MM-DD/<file>.json` or `shipments/YYYY-MM-DD.json`, or `.json.gz`" in shipments
    )
    assert "| field of an object |" in shipments
    assert "| `shipping_date` | string: date | no | Day of the shipment. YYYY/MM/DD. |" in shipments
    assert "| `quantity` | number: decimal(14,3) | no |" in shipments
    assert "| `destination_city` | string | no | City it goes to. At most 100 bytes. |" in shipments
    assert "csv" not in shipments
