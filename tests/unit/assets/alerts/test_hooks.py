"""A step that fails alerts people once, and its run carries the mark that they were."""

from collections.abc import Iterator

import pytest
from dagster import DagsterInstance, DagsterRun, ResourceDefinition, in_process_executor, job, op
from pydantic import PrivateAttr

from airline_platform.errors import UnusableInput
from airline_platform.settings import get_settings
from assets.alerts.hooks import needs_no_alert, tell_failed
from assets.failures import permanent_errors_end_the_step
from resources.topic import Alert, Notifier
from resources.warehouse.resource import Warehouse

pytestmark = pytest.mark.usefixtures("no_stack")


class Postbox(Notifier):
    """Keeps what would be published."""

    _kept: list[Alert] = PrivateAttr(default_factory=list)

    def publish(self, alert: Alert) -> str:
        self._kept.append(alert)
        return "id"

    @property
    def kept(self) -> list[Alert]:
        return self._kept


@op(config_schema={"alerted": bool})
def refuses(context) -> None:
    alerted = context.op_config["alerted"]
    with permanent_errors_end_the_step():
        raise UnusableInput("every file is refused", remedy="Mend them.", alerted=alerted)


@job(executor_def=in_process_executor, hooks={tell_failed}, tags={"airline/feed": "flights"})
def flights_job() -> None:
    refuses()


@pytest.fixture
def instance() -> Iterator[DagsterInstance]:
    with DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral


def failed_run(instance: DagsterInstance, postbox: Postbox, *, alerted: bool) -> DagsterRun:
    done = flights_job.execute_in_process(
        run_config={"ops": {"refuses": {"config": {"alerted": alerted}}}},
        resources={
            "notifier": ResourceDefinition.hardcoded_resource(postbox),
            "warehouse": Warehouse.of(get_settings()),
        },
        instance=instance,
        raise_on_error=False,
    )
    run = instance.get_run_by_id(done.run_id)
    assert run is not None
    return run


def test_a_step_that_fails_says_why_and_whose_feed_it_is(instance: DagsterInstance) -> None:
    postbox = Postbox.of(get_settings())
    run = failed_run(instance, postbox, alerted=False)

    (alert,) = postbox.kept
    assert (alert.event, alert.feed, alert.run_id) == ("failed", "flights", run.run_id)
    assert "Reason:    every file is refused\nWhat to do: Mend them." in alert.message
    assert needs_no_alert(run)


def test_a_step_that_fails_for_what_an_alert_says_already_only_marks_its_run(
    instance: DagsterInstance,
) -> None:
    postbox = Postbox.of(get_settings())
    run = failed_run(instance, postbox, alerted=True)

    assert postbox.kept == []
    assert needs_no_alert(run)
