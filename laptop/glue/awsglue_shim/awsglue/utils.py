"""Reads a Glue script's arguments, with Glue's own rules."""

import argparse
from typing import Any, NoReturn

RESERVED = ("job-bookmark-from", "job-bookmark-to", "JOB_ID", "JOB_RUN_ID", "SECURITY_CONFIGURATION")
"""Glue's own options: always parsed, None where absent, and an error to ask for by name."""

RESERVED_CHOICES = {
    "job-bookmark-option": ("job-bookmark-enable", "job-bookmark-pause", "job-bookmark-disable"),
    "encryption-type": ("sse-s3",),
}
"""Glue's own options with the values they can have."""

TEMPORARY = ("TempDir", "RedshiftTempDir")
"""Two names of one option that is never required, even when asked for."""


class GlueArgumentError(Exception):
    """A required argument is missing, or one has a value it cannot have."""


class GlueArgumentParser(argparse.ArgumentParser):
    """An argument parser that raises instead of ending the process."""

    def error(self, message: str) -> NoReturn:
        """Raise what argparse would print."""
        raise GlueArgumentError(message)


def getResolvedOptions(args: list[str], options: list[str]) -> dict[str, Any]:  # noqa: N802 - Glue's own name
    """The named options of `args` (usually sys.argv) as `{name: text}`, and Glue's own ones.

    `--name value` and `--name=value` are both understood, an unambiguous beginning of a name counts as the
    name (as on AWS), unknown arguments are ignored, and every name in `options` must be there.

    Raises:
        GlueArgumentError: One is missing.
        RuntimeError: One of `options` is Glue's own and can't be asked for.
    """
    for name in (*RESERVED, *RESERVED_CHOICES):
        if name in options:
            raise RuntimeError(f"Using reserved arguments --{name}")
    parsed, _ = _parser(options).parse_known_args(args[1:])
    resolved = vars(parsed)
    temporary = resolved["TempDir"] or resolved["RedshiftTempDir"]
    bookmark = resolved["job_bookmark_option"] or "job-bookmark-disable"
    return resolved | {"TempDir": temporary, "RedshiftTempDir": temporary, "job_bookmark_option": bookmark}


def _parser(options: list[str]) -> GlueArgumentParser:
    parser = GlueArgumentParser()
    for name, choices in RESERVED_CHOICES.items():
        parser.add_argument(f"--{name}", choices=choices)
    for name in (*RESERVED, *TEMPORARY):
        parser.add_argument(f"--{name}")
    for name in options:
        if name not in TEMPORARY:
            parser.add_argument(f"--{name}", required=True)
    return parser
