"""What Glue runs: the job scripts, and one package of the modules they import, in the lake bucket."""

import hashlib
import io
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import dagster_pipes

import glue_jobs
from airline_platform.settings import Settings
from command.deploy.progress import Progress, silent
from resources.aws.client import make_client

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

JOBS = Path(glue_jobs.__file__).parent
GROUND = JOBS.with_name("airline_platform")

PROGRAMS_PREFIX = "glue_jobs/"
"""Where the lake bucket keeps the programs Glue runs."""

TRAVELLING = ("contract", "feeds", "files")
"""Packages of `airline_platform` that Glue jobs import, of the standard library alone."""

PIPES = Path(dagster_pipes.__file__).parent
"""Dagster Pipes, of the standard library alone, in the version that Dagster runs with. It travels, too: a job
that installs it would ask a package index at each start, and wait for it, or fail with it."""

PROGRAM_PACKAGE = "airline_glue.zip"
"""What `--extra-py-files` names in the template."""


def upload_programs(settings: Settings, *, on_progress: Progress = silent) -> tuple[str, ...]:
    """Put the Glue jobs and what they import into the lake bucket; return the keys that were not there so.

    An object is left alone when its ETag, the MD5 of its bytes, is already right. What a key of KMS encrypts
    has another ETag (S3 API Reference, "Object"): with `EncryptionKey=own` all are sent at each deployment.
    """
    s3 = make_client(settings, "s3")
    stored = _etags(s3, settings.lake_bucket)
    programs = glue_programs()
    changed = {key: body for key, body in programs.items() if stored.get(key) != _etag(body)}
    for key, body in changed.items():
        on_progress(f"s3://{settings.lake_bucket}/{key}")
        s3.put_object(Bucket=settings.lake_bucket, Key=key, Body=body)
    return tuple(changed)


def glue_programs() -> dict[str, bytes]:
    """Read what Glue runs, by object key: every `glue_jobs/*_job.py`, and one package of what they import."""
    scripts = sorted(JOBS.glob("*_job.py"))
    return {
        **{f"{PROGRAMS_PREFIX}{script.name}": script.read_bytes() for script in scripts},
        f"{PROGRAMS_PREFIX}{PROGRAM_PACKAGE}": _package(),
    }


def _package() -> bytes:
    """A zip of the modules a Glue job may import; the same sources give the same bytes."""
    folders = [*(GROUND / name for name in TRAVELLING), JOBS, PIPES]
    modules = {(GROUND / "__init__.py").relative_to(GROUND.parent): GROUND / "__init__.py"}
    for folder in folders:
        root = PIPES.parent if folder == PIPES else GROUND.parent
        modules |= {path.relative_to(root): path for path in sorted(folder.rglob("*.py"))}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as package:  # stored: what zlib makes differs by its version
        for name, module in modules.items():
            package.writestr(zipfile.ZipInfo(name.as_posix()), module.read_bytes())
    return buffer.getvalue()


def _etags(s3: "S3Client", bucket: str) -> dict[str, str]:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=PROGRAMS_PREFIX)
    return {item["Key"]: item["ETag"] for page in pages for item in page.get("Contents", [])}


def _etag(body: bytes) -> str:
    return f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'
