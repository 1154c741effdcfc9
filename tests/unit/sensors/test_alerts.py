"""What a run could not tell is told for it, and a run that will be retried is not told of."""

from collections.abc import Iterator

import pytest
from dagster import DagsterInstance, DagsterRun, in_process_executor, job, op
from pydantic import PrivateAttr

from airline_platform.errors import StackNotStarted
from airline_platform.settings import get_settings
from assets.alerts.hooks import ALERTED_TAG
from resources.topic import Alert, Notifier
from resources.warehouse.resource import Warehouse
from sensors.alerts import send_alerts_of

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


def test_a_failed_run_is_told_with_its_steps_error_even_without_a_warehouse(
    instance: DagsterInstance,
) -> None:
    run, postbox = failed_run(instance), Postbox.of(get_settings())

    send_alerts_of(run, instance, Warehouse.of(get_settings()), postbox)

    (alert,) = postbox._kept
    assert (alert.event, alert.feed, alert.run_id) == ("failed", "flights", run.run_id)
    assert "the runway is closed" in alert.message
    assert "Partition: 2013-01-01" in alert.message
    assert instance.get_run_by_id(run.run_id).tags[ALERTED_TAG] == "sensor"  # type: ignore[union-attr]


def test_a_run_that_will_be_retried_is_no_failure_yet(instance: DagsterInstance) -> None:
    run, postbox = failed_run(instance, **{"dagster/will_retry": "true"}), Postbox.of(get_settings())

    with pytest.raises(StackNotStarted):  # its outbox is in the warehouse
        send_alerts_of(run, instance, Warehouse.of(get_settings()), postbox)

    assert postbox._kept == []


def test_what_could_not_be_told_leaves_the_run_untold(instance: DagsterInstance) -> None:
    run = failed_run(instance)

    with pytest.raises(StackNotStarted):
        send_alerts_of(run, instance, Warehouse.of(get_settings()), Notifier.of(get_settings()))

    assert ALERTED_TAG not in instance.get_run_by_id(run.run_id).tags  # type: ignore[union-attr]
