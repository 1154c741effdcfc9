"""Secrets a laptop makes once and keeps: a file each, for the owner's eyes only."""

import os
import secrets
from pathlib import Path


def kept_secret(file: Path) -> str:
    """The secret in a file, made at the first call."""
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        write_private(file, secrets.token_urlsafe(24))
    return file.read_text().strip()


def write_private(file: Path, text: str) -> None:
    """Write a file that nobody else could read at any moment, and that is whole or absent."""
    draft = file.with_name(file.name + ".new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(text)
    draft.replace(file)
