"""Tables are registered as declared; a crawl confirms them once, and one that fails stops no day."""

from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest

from airline_platform.errors import CrawlerFailed, LoadRefused
from airline_platform.feeds.airports import AIRPORTS
from airline_platform.feeds.flights import FLIGHTS
from airline_platform.feeds.shipments import SHIPMENTS
from airline_platform.settings import get_settings
from assets.ingest.catalog import REPORT_LINES, register, register_and_confirm, require_there
from assets.ingest.handover import MadeDay, RowCount
from assets.ingest.step import Step
from resources.acceptance.landed import LandedObject
from resources.catalog import CatalogTable, landing_table
from resources.cost import cost_metadata
from resources.glue import Glue

pytestmark = pytest.mark.usefixtures("no_stack")


class Crawled:
    """A crawl that has ended."""

    crawler = "airline-flights"

    def __init__(self, *warnings: str, error: Exception | None = None) -> None:
        self._warnings, self.error = list(warnings), error

    def warnings(self) -> list[str]:
        return self._warnings

    def cost(self, partitions: int) -> dict[str, float]:
        return cost_metadata(1200, partitions)

    def require_success(self) -> None:
        if self.error:
            raise self.error


class Catalog:
    """A catalog in memory, whose crawls end as they are told to."""

    database = "airline"

    def __init__(self, crawl: Crawled | None = None, *, confirmed: bool = False) -> None:
        self.result, self.confirmed = crawl or Crawled(), confirmed
        self.days: list[str] = []
        self.crawls: list[str] = []

    def declare(self, table: CatalogTable) -> dict[str, Any]:
        return {"Name": table.name, "confirmed": self.confirmed}

    def add_partitions(self, _: Any, folders: Mapping[str, str]) -> None:
        self.days += folders

    def crawl(self, name: str, *, wait_for_turn: bool) -> Crawled:
        assert not wait_for_turn
        self.crawls.append(name)
        return self.result

    def confirm(self, _: CatalogTable) -> None:
        self.confirmed = True


@pytest.fixture(autouse=True)
def confirmed_by_flag(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CatalogTable, "is_confirmed", lambda _, found: found["confirmed"])


def table_of(feed: Any = FLIGHTS) -> CatalogTable:
    return landing_table(get_settings(), feed)


def confirm(catalog: Catalog, *days: str, feed: Any = FLIGHTS) -> dict[str, Any]:
    folders = {day: f"s3://x/date={day}/" for day in days}
    return register_and_confirm(cast("Glue", catalog), table_of(feed), folders)


def test_days_are_registered_and_whether_a_crawl_has_confirmed_the_table_is_told() -> None:
    catalog = Catalog()

    assert register(cast("Glue", catalog), table_of(), {"2013-01-01": "s3://x"}) is False
    assert (catalog.days, catalog.crawls) == (["2013-01-01"], [])


def test_a_declaration_is_crawled_once() -> None:
    catalog = Catalog()

    told = [confirm(catalog, "2013-01-01")["crawl"] for _ in range(3)]

    assert told == ["confirmed", "not needed", "not needed"]
    assert catalog.crawls == ["airline-flights"]


def test_the_days_of_a_step_share_what_a_crawl_costs_whether_it_succeeds_or_fails() -> None:
    failing = Crawled(error=CrawlerFailed("it failed", remedy="Look."))
    for crawled in (Crawled(), failing):
        told = register_and_confirm(
            cast("Glue", Catalog(crawled)), table_of(), {"2013-01-01": "s3://x/"}, partitions=4
        )
        assert told["dpu_seconds"] == 300
    assert "dpu_seconds" not in confirm(Catalog(confirmed=True), "2013-01-01")


def test_a_daily_table_none_of_whose_days_has_a_folder_is_not_crawled_and_one_without_days_is() -> None:
    daily, whole = Catalog(), Catalog()

    assert confirm(daily)["crawl"] == "not needed"
    assert confirm(whole, feed=AIRPORTS)["crawl"] == "confirmed"
    assert confirm(daily, "2013-01-01")["table"] == "airline.landing_daily_flights"


def test_a_crawl_that_fails_stops_no_day_and_is_asked_for_again() -> None:
    catalog = Catalog(Crawled("this differs", error=CrawlerFailed("it failed", remedy="Look.")))

    told = confirm(catalog, "2013-01-01")

    assert told["crawl"] == "failed: it failed"
    assert told["crawl_report"].value == "this differs"
    assert not catalog.confirmed
    catalog.result = Crawled()
    assert confirm(catalog, "2013-01-01")["crawl"] == "confirmed"


def test_of_very_many_warnings_the_first_are_shown_and_the_others_counted() -> None:
    report = confirm(Catalog(Crawled(*(f"line {n}" for n in range(60)))), "2013-01-01")["crawl_report"].value

    lines = report.splitlines()
    assert len(lines) == REPORT_LINES + 1
    assert (lines[0], lines[-1]) == ("line 0", "… and 10 more")


class Swept:
    """A lake in which these files are left."""

    def __init__(self, *left: str) -> None:
        self.left = left

    def with_bucket(self, _: str) -> "Swept":
        return self

    def list_files(self, prefixes: Iterable[str]) -> dict[str, list[dict[str, str]]]:
        return {it: [{"url": url} for url in self.left if f"/{it}" in url] for it in prefixes}


def of_run(run: str, *files: str, loaded: int = 1) -> MadeDay:
    folder = f"s3://lake/t/runs/{run}/date=2013-01-01/"
    landed = LandedObject("b", "k", "2013-01-01", "e", 1, datetime(2013, 1, 2, tzinfo=UTC))
    counted = ((landed, RowCount(1, loaded, 1 - loaded)),)
    return MadeDay("jr_1", tuple({"url": f"{folder}{name}"} for name in files), counted, folder=folder)


@pytest.mark.parametrize(
    ("made", "gone"),
    [
        (of_run("a", "x.parquet"), False),
        (of_run("a", "x.parquet", "y.parquet"), True),
        (of_run("swept", "x.parquet"), True),
        (of_run("adopted after it was swept"), True),
        (of_run("without a row", loaded=0), False),
    ],
)
def test_a_day_is_placed_only_where_its_parquet_is(made: MadeDay, gone: bool) -> None:
    lake = Swept("s3://lake/t/runs/a/date=2013-01-01/x.parquet")
    step = Step(cast("Any", SimpleNamespace(resources=SimpleNamespace(lake=lake))), SHIPMENTS)

    with pytest.raises(LoadRefused, match="found it gone") if gone else nullcontext():
        require_there(step, SHIPMENTS.table, {"2013-01-01": made})
