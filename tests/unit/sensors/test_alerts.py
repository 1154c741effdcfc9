"""What a run could not tell is told for it, and a run that will be retried is not told of."""

from collections.abc import Iterator

import pytest
from dagster import (
    DagsterInstance,
    DagsterRun,
    ResourceDefinition,
    SkipReason,
    build_sensor_context,
    in_process_executor,
    job,
    op,
)
from pydantic import PrivateAttr

from airline_platform.errors import StackNotStarted
from airline_platform.settings import get_settings
from assets.alerts.hooks import alerted_tag, needs_no_alert
from resources.topic import Alert, Notifier
from resources.warehouse.resource import Warehouse
from sensors.alerts import alert_sensor, send_alerts_of

pytestmark = pytest.mark.usefixtures("no_stack")


class Postbox(Notifier):
    """Keeps what would be published."""

    _kept: list[Alert] = PrivateAttr(default_factory=list)

    def publish(self, alert: Alert) -> str:
        self._kept.append(alert)
        return "id"


@op
def closed() -> None:
    raise ValueError("the runway is closed")


@job(executor_def=in_process_executor, tags={"airline/feed": "flights", "dagster/partition": "2013-01-01"})
def flights_job() -> None:
    closed()


@pytest.fixture
def instance() -> Iterator[DagsterInstance]:
    with DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral


def failed_run(instance: DagsterInstance, **tags: str) -> DagsterRun:
    done = flights_job.execute_in_process(instance=instance, raise_on_error=False)
    instance.add_run_tags(done.run_id, tags)
    run = instance.get_run_by_id(done.run_id)
    assert run is not None
    return run


def again(instance: DagsterInstance, run: DagsterRun) -> DagsterRun:
    """Read a run anew, with the tags it has by now."""
    read = instance.get_run_by_id(run.run_id)
    assert read is not None
    return read


def tick(instance: DagsterInstance, postbox: Postbox, cursor: str | None = None) -> str | None:
    """Let the sensor look once; return its cursor."""
    resources = {
        "warehouse": Warehouse.of(get_settings()),
        "notifier": ResourceDefinition.hardcoded_resource(postbox),  # itself, not a copy
    }
    with build_sensor_context(instance, cursor=cursor, resources=resources) as context:
        assert isinstance(alert_sensor(context), SkipReason)
        return context.cursor


def test_a_failed_run_is_told_with_its_steps_error_even_without_a_warehouse(
    instance: DagsterInstance,
) -> None:
    run, postbox = failed_run(instance), Postbox.of(get_settings())

    send_alerts_of(run, instance, Warehouse.of(get_settings()), postbox)

    (alert,) = postbox._kept
    assert (alert.event, alert.feed, alert.run_id) == ("failed", "flights", run.run_id)
    assert "the runway is closed" in alert.message
    assert "Partition: 2013-01-01" in alert.message
    assert needs_no_alert(again(instance, run))


def test_a_run_that_will_be_retried_is_no_failure_yet(instance: DagsterInstance) -> None:
    run, postbox = failed_run(instance, **{"dagster/will_retry": "true"}), Postbox.of(get_settings())

    with pytest.raises(StackNotStarted):  # its outbox is in the warehouse
        send_alerts_of(run, instance, Warehouse.of(get_settings()), postbox)

    assert postbox._kept == []


def test_what_could_not_be_told_leaves_the_run_untold(instance: DagsterInstance) -> None:
    run = failed_run(instance)

    with pytest.raises(StackNotStarted):
        send_alerts_of(run, instance, Warehouse.of(get_settings()), Notifier.of(get_settings()))

    assert not needs_no_alert(again(instance, run))


def test_a_run_that_inherits_the_mark_of_the_run_it_repeats_is_told_of(instance: DagsterInstance) -> None:
    first, postbox = failed_run(instance), Postbox.of(get_settings())
    retry = failed_run(instance, **alerted_tag(first.run_id))

    tick(instance, postbox)
    tick(instance, postbox)

    assert {alert.run_id for alert in postbox._kept} == {first.run_id, retry.run_id}
    assert len(postbox._kept) == 2


def test_runs_that_were_marked_together_do_not_hide_the_ones_that_end_later(
    instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sensors.alerts.RUNS_PER_TICK", 3)
    postbox = Postbox.of(get_settings())
    for _ in range(3):
        failed_run(instance)
    cursor = tick(instance, postbox, tick(instance, postbox))  # the second one reads the three as marked
    later = [failed_run(instance) for _ in range(2)]

    tick(instance, postbox, tick(instance, postbox, cursor))

    assert {run.run_id for run in later} <= {alert.run_id for alert in postbox._kept}
