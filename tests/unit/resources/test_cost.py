"""What Glue bills: DPU-seconds with their least, and each partition's share of them."""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from airline_platform.settings import Settings
from resources.athena import LEAST_BILLED, TB, USD_PER_TB
from resources.cost import CRAWLER_DPUS, cost_metadata, crawl_dpu_seconds, job_dpu_seconds, worker_dpus
from resources.glue import Glue

DAYS = dg.DailyPartitionsDefinition("2013-01-01")


@pytest.mark.parametrize(
    ("run", "dpu_seconds"),
    [
        ({"ExecutionTime": 90, "MaxCapacity": 2.0}, 180),
        ({"ExecutionTime": 5, "MaxCapacity": 2.0}, 120),
        ({"ExecutionTime": 90, "WorkerType": "G.2X", "NumberOfWorkers": 3}, 540),
        ({"ExecutionTime": 90, "MaxCapacity": 10.0, "DPUSeconds": 77.5}, 77.5),
    ],
)
def test_a_job_run_is_billed_its_workers_seconds_and_a_minute_at_least(run: Any, dpu_seconds: float) -> None:
    assert job_dpu_seconds(run) == dpu_seconds


@pytest.mark.parametrize(("kind", "dpus"), [("G.1X", 1), ("G.8X", 8), ("G.025X", 0.25), ("Standard", 1)])
def test_a_workers_type_says_its_dpus(kind: str, dpus: float) -> None:
    assert worker_dpus(kind) == dpus


def test_a_crawl_is_billed_ten_minutes_at_least() -> None:
    assert crawl_dpu_seconds(30) == 600 * CRAWLER_DPUS
    assert crawl_dpu_seconds(1200) == 1200 * CRAWLER_DPUS


def test_the_shares_of_all_partitions_are_what_was_billed() -> None:
    assert cost_metadata(3600, 4) == {"dpu_seconds": 900, "estimated_cost_usd": 0.11}


def test_every_partition_of_a_range_has_its_share_of_all_job_runs_of_the_step(no_stack: Settings) -> None:
    glue = Glue.of(no_stack)

    @dg.asset(partitions_def=DAYS, backfill_policy=dg.BackfillPolicy.single_run())
    def made(context: dg.AssetExecutionContext) -> None:
        for seconds in (60, 120):
            glue._tell_cost(context, {"ExecutionTime": seconds, "MaxCapacity": 2.0})

    with dg.DagsterInstance.ephemeral() as instance:
        tags = {
            "dagster/asset_partition_range_start": "2013-01-01",
            "dagster/asset_partition_range_end": "2013-01-03",
        }
        done = dg.materialize([made], instance=instance, tags=tags)
    by_day = {
        event.partition: event.step_materialization_data.materialization.metadata["dpu_seconds"].value
        for event in done.get_asset_materialization_events()
    }

    assert by_day == {f"2013-01-0{day}": 120 for day in (1, 2, 3)}


def test_an_asset_without_partitions_has_the_whole_cost(no_stack: Settings) -> None:
    @dg.asset
    def made(context: dg.AssetExecutionContext) -> None:
        Glue.of(no_stack)._tell_cost(context, {"ExecutionTime": 1800, "MaxCapacity": 2.0})

    with dg.DagsterInstance.ephemeral() as instance:
        (event,) = dg.materialize([made], instance=instance).get_asset_materialization_events()

    assert event.step_materialization_data.materialization.metadata["estimated_cost_usd"].value == 0.44


def test_the_page_on_cost_does_its_arithmetic_right() -> None:
    page = (Path(__file__).parents[3] / "docs" / "cost.md").read_text()
    job = cost_metadata(job_dpu_seconds({"MaxCapacity": 2.0}), 1)["estimated_cost_usd"]
    crawl = cost_metadata(crawl_dpu_seconds(0), 1)["estimated_cost_usd"]
    query = LEAST_BILLED / TB * USD_PER_TB
    waking = 4 * 60 / 3600 * 0.375
    here, crawled = 4 * job + query, 4 * (job + crawl) + query
    looks = 24 * 3600 // Settings(stage="aws", AWS_REGION="eu-central-1").reconcile_every

    units = (f"| {job:.4f} |", f"| {crawl:.4f} |", f"| {query:.5f} |", f"| {waking:.4f} |")
    days = (f"| **{here:.2f}** | **{crawled:.2f}** |", f"| **{here * 365:.0f}** | **{crawled * 365:.0f}** |")
    at_once = f"| {16 * 3 * job:.2f} | {crawled * 365:.0f} |"
    hourly = f" {waking:.4f} = {looks * waking:.2f} a day, {looks * waking * 365 / 12:.0f} a month"
    quarterly = (
        f"{96 * waking:.2f} a day, {96 * waking * 365 / 12:.0f} a month, {96 * waking * 365:.0f} a year"
    )
    assert [words for words in (*units, *days, at_once, hourly, quarterly) if words not in page] == []
