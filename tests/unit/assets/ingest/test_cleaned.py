"""Of typed rows those are left that no later one replaces; the others are counted as repeated."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest

from airline_platform.errors import LoadRefused
from airline_platform.feeds.shipments import SHIPMENTS
from assets.ingest.cleaned import clean_days, kept
from assets.ingest.handover import MadeDay, RowCount
from assets.ingest.step import Step
from resources.acceptance.landed import LandedObject


@pytest.mark.parametrize(
    ("typed", "rows", "after"),
    [
        (RowCount(10, 8, 2), 8, RowCount(10, 8, 2, 0)),
        (RowCount(10, 8, 2), 5, RowCount(10, 5, 5, 3)),
        (RowCount(10, 8, 2), 0, RowCount(10, 0, 10, 8)),
        (RowCount(3, 0, 3), 0, RowCount(3, 0, 3, 0)),
    ],
)
def test_rows_that_a_newer_one_replaces_are_counted_as_repeated(
    typed: RowCount, rows: int, after: RowCount
) -> None:
    assert kept(typed, rows) == after
    assert after.read == after.loaded + after.rejected


class Expired:
    """A lake whose documents say what was typed, and whose typed Parquet has expired."""

    bucket = "lake"

    def __init__(self, made: MadeDay) -> None:
        self.made = made

    def get_manifests(self, asset: str, days: Sequence[str]) -> dict[str, Any]:
        return {day: self.made.as_json() for day in days if asset == SHIPMENTS.made_asset}

    def with_bucket(self, _: str) -> "Expired":
        return self

    def list_files(self, prefixes: Iterable[str]) -> dict[str, list[dict[str, Any]]]:
        return {prefix: [] for prefix in prefixes}


def test_typed_rows_that_have_expired_start_no_job_and_are_no_files_fault() -> None:
    file = LandedObject("landing", "k", "2013-01-01", "e", 1, datetime(2013, 1, 2, tzinfo=UTC))
    folder = "s3://landing/shipments/shipments_parquet/runs/r/date=2013-01-01/"
    made = MadeDay("jr_1", ({"url": f"{folder}x.parquet"},), ((file, RowCount(1, 1, 0)),), folder=folder)
    # No job can start, and no verdict can be written: there is neither Glue nor a warehouse.
    has = SimpleNamespace(
        lake=Expired(made), landing=SimpleNamespace(bucket="landing", versions=lambda *_: [])
    )
    context = SimpleNamespace(resources=has, partition_keys=["2013-01-01"])

    with pytest.raises(LoadRefused, match="expected the Parquet of 2013-01-01 that was made, found it gone"):
        clean_days(Step(cast("Any", context), SHIPMENTS))
