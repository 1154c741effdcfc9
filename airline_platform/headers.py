"""The verdict on a landed file's first line: can this be what its feed promises?"""

import codecs
import csv
import re
import zlib
from dataclasses import dataclass

from airline_platform.feeds import Feed

HEAD_BYTES = 64 * 1024
"""How much of an object is read to judge it; a longer header line is refused."""


@dataclass(frozen=True)
class Accepted:
    """A file that can be read.

    Args:
        header: Its first line, without line end and byte order mark, as Spark reads it too.
        columns: The feed's column names in the file's order.
    """

    header: str
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Refused:
    """A file that can't be this feed: what came on which line, what was expected, what to do."""

    line: int
    found: str
    expected: str
    remedy: str

    def __str__(self) -> str:
        """One sentence for alerts and the ledger."""
        return f"line {self.line}: {self.found}; expected {self.expected}. {self.remedy}"


def judge(feed: Feed, head: bytes, size: int, *, gzipped: bool = False) -> Accepted | Refused:
    """Judge a file by its first bytes.

    Columns are matched by name, whatever their order or case; missing, extra and doubled ones refuse it.

    Args:
        feed: What the file should be.
        head: Its first bytes, `HEAD_BYTES` at most, still compressed where `gzipped`.
        size: The object's size in bytes.
        gzipped: Whether the object is gzip.

    Returns:
        The verdict. Never raises.
    """
    header_wanted = f"the header {feed.header}"
    if size == 0:
        return Refused(1, "the file is empty", header_wanted, "Land the file again, complete.")
    if gzipped:
        try:
            head = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16).decompress(head, HEAD_BYTES)
        except zlib.error as error:
            return Refused(
                1, f"not gzip ({error})", "gzip, as the name says", "Compress it again, or rename it."
            )
    if head.startswith((b"PAR1", b"PK\x03\x04", codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in head:
        return Refused(1, "binary data or UTF-16", "CSV text in UTF-8", "Export the file as CSV in UTF-8.")
    return _judge_text(feed, head)


def _judge_text(feed: Feed, head: bytes) -> Accepted | Refused:
    first, *others = re.split(rb"\r\n|\r|\n", head, maxsplit=1)
    if not others and len(head) >= HEAD_BYTES:
        return Refused(
            1,
            f"a line longer than {HEAD_BYTES:,} bytes",
            f"the header {feed.header}",
            "End the lines with LF.",
        )
    try:
        header = first.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return Refused(1, f"byte {error.start + 1} is not UTF-8", "UTF-8", "Export the file in UTF-8.")
    if not b"".join(others).strip():
        return Refused(
            2, "no rows after the header", "at least one row", "Land the file again, with its rows."
        )
    return _match(feed, header)


def _match(feed: Feed, header: str) -> Accepted | Refused:
    names = next(csv.reader([header]), [])
    found = [name.strip().casefold() for name in names]
    wanted = {column.name.casefold(): column.name for column in feed.columns}
    missing = [name for folded, name in wanted.items() if folded not in found]
    extra = [name for name in names if name.strip().casefold() not in wanted]
    doubled = sorted({name for name in found if found.count(name) > 1})
    if missing or extra or doubled:
        problems = [
            f"{label} {', '.join(repr(column[:100]) for column in columns[:20])}"
            for label, columns in (("missing", missing), ("not of this feed", extra), ("twice", doubled))
            if columns
        ]
        return Refused(
            1,
            f"columns {'; '.join(problems)}",
            f"the header {feed.header}",
            f"Correct the header, or land the file under its own feed's prefix instead of {feed.prefix}.",
        )
    return Accepted(header, tuple(wanted[name] for name in found))
