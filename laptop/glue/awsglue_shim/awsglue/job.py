"""Glue's Job object: bookmarks, which a laptop has none of."""

from collections.abc import Mapping

from awsglue.context import GlueContext


class Job:
    """Marks where a script's work begins and ends."""

    def __init__(self, glue_context: GlueContext) -> None:
        """Belong to a script's context."""
        self.glue_context = glue_context

    def init(self, job_name: str, args: Mapping[str, str] | None = None) -> None:
        """Begin; on AWS this loads the bookmark."""

    def commit(self) -> None:
        """End; on AWS this saves the bookmark."""
