"""A resource that says which run uses it, so that what the run calls can be told from everything else."""

from typing import Any

from dagster import ConfigurableResource, InitResourceContext

from resources.aws import caller


class AuditedResource(ConfigurableResource[Any]):
    """While a run has it set up, this process calls AWS in the run's name; sensors set it up without one."""

    def setup_for_execution(self, context: InitResourceContext) -> None:
        """The run begins to use it."""
        if context.run:
            caller.begin(context.run.run_id)

    def teardown_after_execution(self, context: InitResourceContext) -> None:
        """The run has used it."""
        if context.run:
            caller.end(context.run.run_id)
