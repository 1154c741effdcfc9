"""Marts are made anew when their source was loaded: each day once, and none that nothing happened to."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from dagster import (
    AssetKey,
    AssetMaterialization,
    AssetObservation,
    AssetsDefinition,
    AssetSelection,
    AssetSpec,
    AutomationCondition,
    BackfillPolicy,
    DagsterEvent,
    DagsterEventType,
    DagsterInstance,
    DagsterRun,
    Definitions,
    RunRequest,
    asset,
    evaluate_automation_conditions,
    materialize,
    multi_asset,
)
from dagster._core.definitions.automation_tick_evaluation_context import build_run_requests
from dagster._core.events import StepMaterializationData

from airline_platform.definitions import defs
from airline_platform.partitions import daily_partitions
from assets.ingest.feed_assets import loaded_all_the_same
from assets.marts.automation_condition import when_its_source_changes
from assets.marts.declarations import MARTS

FACT, BOOKINGS = "daily_flights_processed", "fact_booking_status"
MARTS_OF_FLIGHTS = ["airport_daily_delays", "carrier_daily_delays", "long_delays", "route_daily_delays"]
OF_FLIGHTS = [*MARTS_OF_FLIGHTS, "delay_report"]
DAY, OTHER = "2013-01-05", "2014-03-09"


class Looks:
    """What the automation sensor asks for, look after look."""

    def __init__(self) -> None:
        self.instance = DagsterInstance.ephemeral()
        self._cursor = None
        self._requested = []

    def made(self, asset: str, *days: str) -> None:
        for day in days or (None,):
            self.instance.report_runless_asset_event(AssetMaterialization(asset_key=asset, partition=day))

    def made_in(self, run: DagsterRun, asset: str, day: str) -> None:
        made = StepMaterializationData(AssetMaterialization(asset_key=asset, partition=day))
        kind = DagsterEventType.ASSET_MATERIALIZATION.value
        self.instance.report_dagster_event(
            DagsterEvent(kind, run.job_name, event_specific_data=made), run.run_id
        )

    def requests(self) -> Sequence[RunRequest]:
        """What the sensor has launched for what the last look asked for."""
        graph = defs.resolve_asset_graph()
        return build_run_requests(self._requested, graph, run_tags={}, emit_backfills=True)

    def look(self, at: datetime | None = None) -> Mapping[str, list[str]]:
        """The days asked for by mart, or report; [""] for one without days."""
        result = evaluate_automation_conditions(
            defs,
            self.instance,
            asset_selection=AssetSelection.groups("marts"),
            evaluation_time=at,
            cursor=self._cursor,
        )
        self._cursor, self._requested = result.cursor, result._requested_subsets
        asked = {name: result.get_requested_partitions(AssetKey(name)) for name in [*MARTS, "delay_report"]}
        return {name: sorted(day or "" for day in days) for name, days in asked.items() if days}

    def begin(self, job: str, day: str = "", assets: Sequence[str] = ()) -> DagsterRun:
        """A run that works on a day."""
        selection = {AssetKey(name) for name in assets} or None
        run = self.instance.create_run_for_job(
            job_def=defs.resolve_job_def(job).get_subset(asset_selection=selection),
            tags={"dagster/partition": day} if day else {},
            asset_selection=selection,
        )
        for event in (DagsterEventType.RUN_STARTING, DagsterEventType.RUN_START):
            self.instance.report_dagster_event(DagsterEvent(event.value, run.job_name), run_id=run.run_id)
        return run


@pytest.fixture
def looks() -> Iterator[Looks]:
    found = Looks()
    with found.instance:
        assert found.look() == {}
        yield found


def asset_of(name: str, version: str, condition: AutomationCondition | None = None) -> AssetsDefinition:
    """An asset that is made of the fact by a version of its code."""

    @asset(name=name, deps=["fact"], code_version=version, automation_condition=condition)
    def made() -> None:
        pass

    return made


def of_flights(*days: str) -> dict[str, list[str]]:
    return {name: list(days) for name in OF_FLIGHTS}


def test_a_loaded_day_asks_for_this_day_of_its_marts_and_only_once(looks: Looks) -> None:
    looks.made(FACT, DAY)

    assert looks.look() == of_flights(DAY)
    assert [looks.look() for _ in range(3)] == [{}] * 3


def test_when_the_marts_are_made_nothing_is_asked_for_but_what_follows_from_them(looks: Looks) -> None:
    looks.made(FACT, DAY)
    looks.look()
    for name in OF_FLIGHTS:
        looks.made(name, DAY)

    assert looks.look() == {"carrier_on_time": [""]}
    looks.made("carrier_on_time")
    assert [looks.look() for _ in range(3)] == [{}] * 3


def test_a_day_that_comes_late_is_asked_for_alone(looks: Looks) -> None:
    looks.made(FACT, OTHER)
    looks.look()
    looks.made("carrier_daily_delays", OTHER)
    looks.look()
    looks.made(FACT, DAY)

    assert looks.look() == of_flights(DAY)


def test_a_day_that_is_loaded_again_is_asked_for_again(looks: Looks) -> None:
    for _ in range(3):
        looks.made(FACT, DAY)
        assert looks.look() == of_flights(DAY)
        for name in OF_FLIGHTS:
            looks.made(name, DAY)
        assert looks.look() == {"carrier_on_time": [""]}


def test_a_load_that_ends_between_the_request_and_the_next_look_is_asked_for_again(looks: Looks) -> None:
    looks.made(FACT, DAY)
    looks.look()
    looks.made(FACT, DAY)

    assert looks.look() == of_flights(DAY)


@pytest.mark.parametrize("first", ["mart", "fact"])
def test_a_load_that_ends_together_with_the_marts_run_is_asked_for_again(looks: Looks, first: str) -> None:
    looks.made(FACT, DAY)
    looks.look()
    looks.look()
    # The run may have read before the load whose event comes before its own.
    for name in ["long_delays", FACT] if first == "mart" else [FACT, "long_delays"]:
        looks.made(name, DAY)

    assert looks.look() == of_flights(DAY)
    assert looks.look() == {}


@pytest.mark.parametrize("name", ["dim_airport_codes", "raw_airports", "airports_enriched"])
def test_the_dimension_asks_for_nothing(looks: Looks, name: str) -> None:
    looks.made(FACT, DAY, OTHER)
    looks.look()
    for mart in OF_FLIGHTS:
        looks.made(mart, DAY, OTHER)
    looks.look()
    looks.made(name)

    assert [looks.look() for _ in range(3)] == [{}] * 3


def test_days_that_are_not_loaded_yet_ask_for_nothing(looks: Looks) -> None:
    for name in ("raw_flights", "flights_catalog", "flights_enriched"):
        looks.made(name, DAY)

    assert looks.look() == {}


def test_bookings_have_their_own_mart_whatever_becomes_of_the_newest_rows(looks: Looks) -> None:
    looks.made(BOOKINGS, DAY)
    looks.made("fact_bookings", DAY)

    assert looks.look() == {"bookings_daily": [DAY]}


def test_the_ranking_is_asked_for_once_for_many_days_though_most_days_never_were(looks: Looks) -> None:
    looks.made("carrier_daily_delays", DAY, OTHER)

    assert looks.look() == {"carrier_on_time": [""]}
    assert [looks.look() for _ in range(3)] == [{}] * 3


def test_what_was_loaded_before_there_were_marts_is_asked_for_at_the_first_look() -> None:
    looks = Looks()
    with looks.instance:
        looks.made(FACT, DAY, OTHER)
        looks.made("long_delays", DAY)

        assert looks.look() == of_flights(DAY, OTHER) | {"long_delays": [OTHER]}
        assert looks.look() == {}


def test_what_is_loading_is_left_alone_until_it_has_ended(looks: Looks) -> None:
    looks.made(FACT, DAY, OTHER)
    run = looks.begin("flights_job", DAY)

    assert looks.look() == of_flights(OTHER)
    assert looks.look() == {}

    looks.instance.report_run_failed(run)
    assert looks.look() == of_flights(DAY)


def test_what_failed_is_asked_for_again_at_the_full_hour_until_it_is_made(looks: Looks) -> None:
    quarter_past = datetime.now(UTC).replace(minute=15) + timedelta(days=1)
    looks.made(FACT, DAY)
    assert looks.look(quarter_past) == of_flights(DAY)
    for hour in range(1, 4):
        looks.instance.report_run_failed(looks.begin("__ASSET_JOB", DAY, ["long_delays"]))
        at = quarter_past + timedelta(hours=hour)
        assert looks.look(at - timedelta(minutes=30)) == {}
        assert looks.look(at) == {"long_delays": [DAY]}
    looks.made("long_delays", DAY)

    assert [looks.look(quarter_past + timedelta(hours=hour)) for hour in range(4, 7)] == [{}] * 3


def test_the_report_is_asked_for_with_the_marts_it_reads_and_runs_after_them_in_one_run(looks: Looks) -> None:
    looks.made(FACT, DAY)
    assert looks.look() == of_flights(DAY)

    (request,) = looks.requests()
    assert request.partition_key == DAY
    assert {key.path[-1] for key in request.asset_selection} == {*OF_FLIGHTS}
    job = defs.resolve_job_def("__ASSET_JOB").get_subset(asset_selection=set(request.asset_selection))
    order = [level.name for level in job.graph.nodes_in_topological_order]
    assert order[-1] == "delay_report"
    assert sorted(order[:-1]) == MARTS_OF_FLIGHTS


def test_days_that_are_loaded_together_are_one_backfill_of_marts_and_reports(looks: Looks) -> None:
    looks.made(FACT, DAY, OTHER)
    assert looks.look() == of_flights(DAY, OTHER)

    (request,) = looks.requests()
    asked = request.asset_graph_subset.partitions_subsets_by_asset_key
    days = {key.path[-1]: sorted(subset.get_partition_keys()) for key, subset in asked.items()}
    assert days == of_flights(DAY, OTHER)
    policies = {defs.resolve_asset_graph().get(key).backfill_policy for key in asked}
    # Only assets of one policy share the runs of a backfill.
    assert len(policies) == 1


def test_a_mart_that_is_made_anew_by_hand_asks_for_no_report(looks: Looks) -> None:
    looks.made(FACT, DAY)
    looks.look()
    for name in OF_FLIGHTS:
        looks.made(name, DAY)
    looks.look()
    for name in MARTS_OF_FLIGHTS:
        looks.made(name, DAY)

    assert "delay_report" not in looks.look()


def test_a_report_that_a_failed_mart_kept_from_being_made_is_asked_for_with_it(looks: Looks) -> None:
    quarter_past = datetime.now(UTC).replace(minute=15) + timedelta(days=1)
    looks.made(FACT, DAY)
    looks.look(quarter_past)
    run = looks.begin("__ASSET_JOB", DAY, OF_FLIGHTS)
    for name in MARTS_OF_FLIGHTS[:3]:
        looks.made_in(run, name, DAY)
    looks.instance.report_run_failed(run)

    assert looks.look(quarter_past + timedelta(minutes=30)) == {"carrier_on_time": [""]}
    asked = looks.look(quarter_past + timedelta(hours=1))
    assert asked == {name: [DAY] for name in ("route_daily_delays", "delay_report")}


def test_another_query_alone_asks_for_nothing() -> None:
    def defs_with(version: str) -> Definitions:
        condition = when_its_source_changes()
        return Definitions([AssetSpec("fact"), asset_of("mart", version, condition)])

    def look(version: str, cursor=None):
        selection = AssetSelection.assets("mart")
        return evaluate_automation_conditions(
            defs_with(version), instance, asset_selection=selection, cursor=cursor
        )

    with DagsterInstance.ephemeral() as instance:
        instance.report_runless_asset_event(AssetMaterialization("fact"))
        before = look("old")
        materialize([asset_of("mart", "old")], instance=instance)
        settled = look("old", before.cursor)
        after = look("new", settled.cursor)

    assert (before.total_requested, settled.total_requested, after.total_requested) == (1, 0, 0)


@pytest.mark.parametrize("name", [FACT, "carrier_daily_delays"])
def test_a_plot_shown_on_an_asset_asks_for_nothing(looks: Looks, name: str) -> None:
    looks.made(FACT, DAY)
    looks.look()
    for made in OF_FLIGHTS:
        looks.made(made, DAY)
    looks.look()
    looks.made("carrier_on_time")
    looks.look()
    looks.instance.report_runless_asset_event(AssetObservation(asset_key=name, partition=DAY))

    assert [looks.look() for _ in range(3)] == [{}] * 3


def test_days_that_a_failed_run_has_loaded_are_asked_for(
    looks: Looks, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL, "dagster")
    specs = [AssetSpec(FACT), AssetSpec("beside")]
    policy = BackfillPolicy.single_run()

    @multi_asset(specs=specs, partitions_def=daily_partitions(), backfill_policy=policy)
    def refuses_one_day():
        yield from loaded_all_the_same(specs, {DAY: {"rows_loaded": 7}})
        raise ValueError

    tags = {"dagster/asset_partition_range_start": DAY, "dagster/asset_partition_range_end": "2013-01-07"}
    run = materialize([refuses_one_day], instance=looks.instance, tags=tags, raise_on_error=False)

    assert not run.success
    told = [event.materialization for event in run.get_asset_materialization_events()]
    assert [(it.asset_key.path[-1], it.partition, len(it.metadata)) for it in told] == [
        (FACT, DAY, 1),
        ("beside", DAY, 0),
    ]
    assert looks.look() == of_flights(DAY)
