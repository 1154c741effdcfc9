"""The verdict on a landed file's beginning: can this be what its feed promises?"""

import codecs
import csv
import re
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress

from airline_platform.feeds import Feed
from airline_platform.json_heads import judge_json
from airline_platform.verdicts import Accepted, Refused

HEAD_BYTES = 64 * 1024
"""How much of an object is read to judge it; a longer header line is refused."""

_LINE_END = re.compile(rb"\r\n|\r|\n")
"""As Spark ends lines."""

_DELIMITERS = {";": "semicolons (;)", "\t": "tabs", "|": "bars (|)"}
"""What exports use where a comma was expected."""

_GZIP = zlib.MAX_WBITS | 16
_GZIP_MAGIC = b"\x1f\x8b"
_BLANK = codecs.BOM_UTF8 + b" \t\r\n"

_FIRST_BYTES = 4
"""UTF-16 and UTF-32 show here, by the zeros of `[` or `{`."""

_FORMATS = {
    b"PAR1": "Parquet",
    b"PK\x03\x04": "a ZIP archive or an Excel workbook",
    _GZIP_MAGIC: "gzip, which its name does not say",
    codecs.BOM_UTF16_LE: "UTF-16 or UTF-32",
    codecs.BOM_UTF16_BE: "UTF-16 or UTF-32",
}
"""First bytes of what is no text in UTF-8, and what it is."""


def judge(feed: Feed, head: bytes, size: int, *, gzipped: bool = False) -> Accepted | Refused:
    """Judge a file by its first bytes.

    Columns of CSV are matched by name, whatever their order or case; missing, extra and doubled ones refuse
    it.

    Args:
        feed: What the file should be.
        head: Its first bytes, `HEAD_BYTES` at most, still compressed where `gzipped`.
        size: The object's size in bytes.
        gzipped: Whether the object is gzip.

    Returns:
        The verdict. Never raises.
    """
    if size == 0:
        wanted = f"the {'header' if feed.format == 'csv' else 'fields'} {feed.header}"
        return Refused(1, "the file is empty", wanted, "Land the file again, complete.")
    whole = len(head) >= size
    if gzipped:
        unpacked = _unpack_head(feed, head, whole=whole)
        if isinstance(unpacked, Refused):
            return unpacked
        head, whole = unpacked
    judge_text = _judge_csv if feed.format == "csv" else judge_json
    return _judge_format(feed, head) or judge_text(feed, head, whole=whole)


def unpack(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """What gzip holds, piece by piece, all members one after the other.

    As strict as Hadoop: zeros behind the last member, which Python's own reader takes for padding, end a job.

    Args:
        pieces: The compressed bytes, in any slices.

    Yields:
        Text of `HEAD_BYTES` at most, so that a bomb is never held in memory.

    Raises:
        zlib.error: The bytes are not gzip, or are damaged; what came before was yielded.
        EOFError: They end in the middle of a member.
    """
    member = None
    for piece in pieces:
        rest, full = piece, False
        while rest or full:
            if member is None:
                member = zlib.decompressobj(wbits=_GZIP)
            before = member.copy()
            try:
                text = member.decompress(rest, HEAD_BYTES)
            except zlib.error:
                yield from _before_damage(before, rest)
                raise
            yield text
            # Where the output was full, more of it may come without input.
            rest, full = member.unconsumed_tail, len(text) == HEAD_BYTES
            if member.eof:
                rest, member, full = member.unused_data, None, False
    if member is not None:
        raise EOFError


def _before_damage(member: "zlib._Decompress", rest: bytes) -> Iterator[bytes]:
    """What can be read of damaged bytes; in one go zlib gives nothing of them."""
    with suppress(zlib.error):
        for start in range(len(rest)):
            yield member.decompress(rest[start : start + 1])


def judge_gzip(pieces: Iterable[bytes]) -> Refused | None:
    """Read gzip to its end: a broken stream would end a job, and with it every other file of the run.

    Args:
        pieces: All of the compressed bytes, in any slices.

    Returns:
        Why it can't be read, with the first line that is not whole; None where it can. Never raises.
    """
    lines = _LineCount()
    try:
        for text in unpack(pieces):
            lines.add(text)
    except (zlib.error, EOFError) as error:
        return _broken(lines, error)
    return None


class _LineCount:
    """Counts the line ends of a text that comes in pieces, be they LF, CRLF or CR."""

    def __init__(self) -> None:
        self._feeds = self._returns = 0

    def add(self, text: bytes) -> None:
        self._feeds += text.count(b"\n")
        self._returns += text.count(b"\r")

    @property
    def line(self) -> int:
        """The line in which the text so far ends, from 1."""
        return max(self._feeds, self._returns) + 1


def _unpack_head(feed: Feed, head: bytes, *, whole: bool) -> tuple[bytes, bool] | Refused:
    """The first bytes of what gzip holds, and whether they are all; or why it can't be read."""
    if not head.startswith(_GZIP_MAGIC):
        remedy = f"Compress the file, or let its name end in .{feed.format}."
        return Refused(1, "the file is not gzip", "gzip, as the name says", remedy)
    lines, text = _LineCount(), b""
    try:
        for piece in unpack([head]):
            text += piece
            lines.add(piece)
            if len(text) >= HEAD_BYTES:
                return text[:HEAD_BYTES], False
    except zlib.error as error:
        return _broken(lines, error)
    except EOFError as error:
        return _broken(lines, error) if whole else (text, False)
    return text, whole


def _broken(lines: _LineCount, error: Exception) -> Refused:
    return Refused(
        lines.line,
        "the gzip stream ends early"
        if isinstance(error, EOFError)
        else f"the gzip stream is damaged ({error})",
        "a complete gzip stream",
        "Compress the file again and land it whole.",
    )


def _judge_format(feed: Feed, head: bytes) -> Refused | None:
    """Refuse what is no text at all. A NUL further down is its row's fault, not the file's."""
    first = _LINE_END.split(head, maxsplit=1)[0] if feed.format == "csv" else head[:_FIRST_BYTES]
    kinds = [kind for magic, kind in _FORMATS.items() if head.startswith(magic)]
    if b"\0" in first:
        kinds.append("binary data or UTF-16")
    if not kinds:
        return None
    kind = feed.format.upper()
    remedy = f"Export the file as {kind} in UTF-8."
    if head.startswith(_GZIP_MAGIC):
        remedy = f"Let its name end in .{feed.format}.gz, or land it uncompressed."
    return Refused(1, f"the file is {kinds[0]}", f"{kind} text in UTF-8", remedy)


def _judge_csv(feed: Feed, head: bytes, *, whole: bool) -> Accepted | Refused:
    wanted = f"the header {feed.header}"
    lines = _LINE_END.split(head, maxsplit=1)
    if len(lines) == 1 and not whole:
        return Refused(1, f"a line longer than {len(head):,} bytes", wanted, "End the lines with LF.")
    try:
        header = lines[0].decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return Refused(
            1,
            f"byte {error.start + 1} is not UTF-8",
            f"{wanted} in UTF-8",
            "Export the file in UTF-8.",
        )
    if not header.strip():
        empty = "the file holds no text" if whole and not head.strip(_BLANK) else "the first line is blank"
        return Refused(1, empty, wanted, "Put the header on the first line and land the file again.")
    verdict = _match(feed, header)
    if isinstance(verdict, Accepted) and whole and not _has_rows(lines):
        return Refused(
            2, "no rows after the header", "at least one row", "Land the file again, with its rows."
        )
    return verdict


def _has_rows(lines: list[bytes]) -> bool:
    """Whether a line follows that is neither blank nor the header once more."""
    header = lines[0].removeprefix(codecs.BOM_UTF8)
    return any(line.strip() not in (b"", header.strip()) for line in _LINE_END.split(b"".join(lines[1:])))


def _match(feed: Feed, header: str) -> Accepted | Refused:
    names = _names(header, ",")
    problems = _problems(feed, names)
    if not problems:
        wanted = {column.name.casefold(): column.name for column in feed.columns}
        return Accepted(header, tuple(wanted[name.strip().casefold()] for name in names))
    delimiter = _delimiter(feed, header)
    if delimiter:
        others = _problems(feed, _names(header, delimiter))
        return Refused(
            1,
            f"columns separated by {_DELIMITERS[delimiter]}{f', {others}' if others else ''}",
            f"the header {feed.header}, separated by commas",
            "Export the file with commas as separators.",
        )
    known = len(names) > len(_extra(feed, names))
    remedy = "Correct the header" if known else "Put the header on the first line"
    return Refused(
        1,
        f"columns {problems}",
        f"the header {feed.header}",
        f"{remedy}, or land the file under its own feed's prefix instead of {feed.prefix}.",
    )


def _names(header: str, delimiter: str) -> list[str]:
    return next(csv.reader([header], delimiter=delimiter), [])


def _delimiter(feed: Feed, header: str) -> str | None:
    """The separator by which columns of the feed come to light that commas do not show."""
    wanted = {column.name.casefold() for column in feed.columns}

    def known(delimiter: str) -> int:
        return len(wanted & {name.strip().casefold() for name in _names(header, delimiter)})

    best = max(_DELIMITERS, key=known)
    return best if known(best) > known(",") else None


def _problems(feed: Feed, names: list[str]) -> str:
    """What is wrong with the columns, by name; empty where nothing is.

    Where the header is missing, its place may hold a person: such a feed's strange columns are only counted.
    """
    found = [name.strip().casefold() for name in names]
    wanted = {column.name.casefold(): column.name for column in feed.columns}
    missing = [name for folded, name in wanted.items() if folded not in found]
    extra = _extra(feed, names)
    doubled = sorted({name for name, times in Counter(found).items() if times > 1})
    hidden = 0
    if feed.personal:
        doubled = [name for name in doubled if name in wanted]
        hidden, extra = len(extra), []
    named = [
        f"{label} {', '.join(repr(column[:100]) for column in columns[:20])}"
        for label, columns in (("missing", missing), ("not of this feed", extra), ("twice", doubled))
        if columns
    ]
    return "; ".join([*named, *([f"not of this feed {hidden} more"] if hidden else [])])


def _extra(feed: Feed, names: list[str]) -> list[str]:
    wanted = {column.name.casefold() for column in feed.columns}
    return [name for name in names if name.strip().casefold() not in wanted]
