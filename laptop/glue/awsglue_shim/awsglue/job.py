"""Glue's Job object: bookmarks, which a laptop has none of."""

from collections.abc import Mapping

from awsglue.context import GlueContext


class Job:
    """Marks where a script's work begins and ends."""

    def __init__(self, glue_context: GlueContext) -> None:
        """Wrap the context the job works in."""
        self.glue_context = glue_context
        self.name = ""
        self.arguments: dict[str, str] = {}

    def init(self, job_name: str, args: Mapping[str, str] | None = None) -> None:
        """Begin; on AWS this loads the bookmark."""
        self.name = job_name
        self.arguments = dict(args or {})

    def isInitialized(self) -> bool:  # noqa: N802 - Glue's own name
        """Whether `init` was called."""
        return bool(self.name)

    def commit(self) -> None:
        """End; on AWS this saves the bookmark, here there is nothing to save."""
