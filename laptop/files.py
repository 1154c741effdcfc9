"""Files of a stack's home: written whole, locked by one process, or for their owner's eyes only."""

import fcntl
import os
import secrets
from pathlib import Path
from typing import IO


def write_whole(file: Path, text: str, *, mode: int = 0o644) -> None:
    """Write a file so that a reader sees the old one or the new one, and only who `mode` lets."""
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f"{file.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(text)
    draft.replace(file)


def kept_secret(file: Path) -> str:
    """The secret in a file, made at the first call."""
    if not file.exists():
        write_whole(file, secrets.token_urlsafe(24), mode=0o600)
    return file.read_text().strip()


def lock(file: Path) -> IO[bytes] | None:
    """Lock a file for as long as it is open in this process; None where another process has it."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    stream = file.open("ab")
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        stream.close()
        return None
    return stream
