"""The verdict on a landed file: can this be what its feed promises, and how many rows does it have?"""

import codecs
import csv
import re
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import chain
from typing import Any

from airline_platform.contract.drift import UNKNOWN_MARK, evolved_name
from airline_platform.contract.feed import Feed
from airline_platform.contract.reading import Reading
from glue_jobs.records import csv_records
from glue_jobs.records.characters import trimmed
from resources.acceptance.json_heads import judge_json
from resources.acceptance.verdicts import Accepted, Refused, Shape

HEAD_BYTES = 64 * 1024
"""How much of a file is held to judge its header; a longer header line is refused."""

_LINE_END = re.compile(rb"\r\n|\r|\n")
"""As Spark ends lines."""

DELIMITERS = {",": "commas", ";": "semicolons (;)", "\t": "tabs", "|": "bars (|)"}
"""What exports use where a comma was expected."""

_SEP_LINE = re.compile(rb'"?sep=(.)"?[ \t]*', re.IGNORECASE)
"""Excel's hint which separator it is to take."""

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


def judge(
    feed: Feed, pieces: Iterable[bytes], size: int, *, reading: Reading | None = None, gzipped: bool = False
) -> Accepted | Refused:
    """Judge a file, reading all of it once, and count what its lines are; no more of it is held than a piece.

    Columns of CSV are matched by name, whatever their order or case. What a file that has other columns comes
    to is the feed's to say (`Feed.drift`).

    Args:
        feed: What the file should be.
        pieces: All of its bytes, in any slices, still compressed where `gzipped`.
        size: The object's size in bytes.
        reading: How it is written; the feed's own way where left out.
        gzipped: Whether the object is gzip.

    Returns:
        The verdict. Never raises for what the file holds.
    """
    reading = reading or feed.reading
    if size == 0:
        wanted = f"the {'header' if feed.format == 'csv' else 'fields'} {feed.header}"
        return Refused(1, "the file is empty", wanted, "Land the file again, complete.")
    first, pieces = _peeked(pieces)
    if gzipped and not first.startswith(_GZIP_MAGIC):
        remedy = f"Compress the file, or let its name end in .{feed.format}."
        return Refused(1, "the file is not gzip", "gzip, as the name says", remedy)
    lines = _LineCount()
    texts = lines.of(unpack(pieces) if gzipped else pieces)
    try:
        verdict = _judge_text(feed, texts, reading)
        return replace(verdict, ascii=lines.ascii) if isinstance(verdict, Accepted) else verdict
    except (zlib.error, EOFError) as error:
        return _broken(lines, error)
    except csv_records.LineTooLong as error:
        line = f"a line longer than {csv_records.LONGEST_LINE:,} bytes"
        return Refused(error.line, line, "shorter lines", "End the lines with LF.")
    except UnicodeError as error:
        wanted, remedy = f"text in {reading.encoding}", "Declare the encoding the file has (Feed.reading)."
        return Refused(lines.line, f"bytes that are not {reading.encoding} ({error})", wanted, remedy)


def _peeked(pieces: Iterable[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """The first piece that holds anything, and all of them."""
    source = iter(pieces)
    first = next(filter(None, source), b"")
    return first, chain([first], source)


def _judge_text(feed: Feed, texts: Iterator[bytes], reading: Reading) -> Accepted | Refused:
    """Judge what a file holds, in UTF-8 from here on."""
    texts = texts if reading.is_utf_8 else _transcoded(texts, reading.encoding)
    head = b""
    for text in texts:
        head += text
        if len(head) >= HEAD_BYTES:
            break
    after, texts = _peeked(texts)
    texts, whole = chain([head], texts), len(head) <= HEAD_BYTES and not after
    head = head[:HEAD_BYTES]
    if refused := _judge_format(feed, head):
        return refused
    if feed.format == "csv":
        return _judge_csv(feed, head, texts, reading, whole=whole)
    return judge_json(feed, head, texts, reading, whole=whole)


def _transcoded(texts: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(encoding)()
    for text in texts:
        yield decoder.decode(text).encode()
    yield decoder.decode(b"", final=True).encode()


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


class _LineCount:
    """Counts the line ends of a text that comes in pieces, be they LF, CRLF or CR.

    Attributes:
        ascii: Whether it has had no other characters so far.
    """

    def __init__(self) -> None:
        self._feeds = self._returns = 0
        self.ascii = True

    def of(self, texts: Iterable[bytes]) -> Iterator[bytes]:
        """Pass the pieces on, and count."""
        for text in texts:
            self._feeds += text.count(b"\n")
            self._returns += text.count(b"\r")
            self.ascii = self.ascii and text.isascii()
            yield text

    @property
    def line(self) -> int:
        """The line in which the text so far ends, from 1."""
        return max(self._feeds, self._returns) + 1


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


def _judge_csv(
    feed: Feed, head: bytes, texts: Iterator[bytes], reading: Reading, *, whole: bool
) -> Accepted | Refused:
    wanted = f"the header {feed.header}"
    lines = _LINE_END.split(head.removeprefix(codecs.BOM_UTF8), maxsplit=reading.skip_lines + 2)
    place = reading.skip_lines
    if reading.sep_line and (hint := _SEP_LINE.fullmatch(lines[place] if place < len(lines) else b"")):
        if hint[1] != reading.delimiter.encode():
            other = hint[1].decode("latin-1")
            return Refused(
                place + 1,
                f"the hint sep= with {other!r}",
                f"fields separated by {reading.delimiter!r}",
                f"Export the file with {reading.delimiter!r} as separators, or declare delimiter={other!r} "
                "(Feed.reading).",
            )
        place += 1
    if len(lines) <= place + 1 and not whole:
        return Refused(place + 1, f"a line longer than {len(head):,} bytes", wanted, "End the lines with LF.")
    try:
        header = lines[place].decode() if place < len(lines) else ""
    except UnicodeDecodeError as error:
        return Refused(
            place + 1,
            f"byte {error.start + 1} is not UTF-8",
            f"{wanted} in UTF-8",
            "Export the file in UTF-8, or declare its encoding (Feed.reading), such as 'latin-1'.",
        )
    if not header.strip():
        blank = not head.strip(_BLANK) and not any(text.strip(_BLANK) for text in texts)
        empty = "the file holds no text" if blank else "the first line is blank"
        empty = empty.replace("first line", f"line {place + 1}") if place else empty
        return Refused(place + 1, empty, wanted, "Put the header on the first line and land the file again.")
    verdict = _match(feed, header, reading, place + 1)
    return _counted(feed, verdict, texts, place + 2) if isinstance(verdict, Accepted) else verdict


def _counted(feed: Feed, verdict: Accepted, texts: Iterator[bytes], first: int) -> Accepted | Refused:
    """Count the lines of a file whose header is right."""
    reading = verdict.reading
    layout = csv_records.Layout(first, verdict.header, len(verdict.columns), reading.delimiter, reading.quote)
    counted = csv_records.count(texts, layout)
    if not counted.adds_up:
        sums = f"lines that do not add up: {counted}"
        return Refused(
            1, sums, "each line to be counted once", "Keep the file and report it: it is a defect."
        )
    if not counted.rows and feed.no_rows == "refuse":
        return Refused(
            first, "no rows after the header", "at least one row", "Land the file again, with its rows."
        )
    shape: Shape = "lines" if reading.is_utf_8 and not counted.further else "records"
    return replace(verdict, shape=shape, first=first, rows=counted.rows, lines=counted.lines)


def _match(feed: Feed, header: str, reading: Reading, line: int) -> Accepted | Refused:
    names = _names(header, reading.delimiter, reading)
    problems = _problems(feed, names, reading)
    if not problems:
        return Accepted(header, _columns(feed, names, reading), reading=reading)
    delimiter = _delimiter(feed, header, reading)
    separated = DELIMITERS.get(reading.delimiter, repr(reading.delimiter))
    if delimiter:
        others = _problems(feed, _names(header, delimiter, reading), reading)
        return Refused(
            line,
            f"columns separated by {DELIMITERS[delimiter]}{f', {others}' if others else ''}",
            f"the header {feed.header}, separated by {separated}",
            f"Export the file with {separated} as separators, or declare delimiter={delimiter!r} "
            "(Feed.reading).",
        )
    known = len(names) > len(_extra(feed, names, reading))
    remedy = "Correct the header" if known else "Put the header on the first line"
    return Refused(
        line,
        f"columns {problems}",
        f"the header {feed.header}",
        f"{remedy}, or land the file under its own feed's prefix instead of {feed.prefix}; other names of "
        "columns, and what strange ones come to, can be declared (Feed.reading, Feed.drift).",
    )


def _columns(feed: Feed, names: Sequence[str], reading: Reading) -> tuple[str, ...]:
    """The feed's columns in the file's order; one it does not have as the file's own name, marked.

    Where two would stand under one name, the later one's place is added, so that both values are kept: two of
    one name, and in a feed that evolves two that come to one column (`Tail Number` and `tail-number`).
    """
    wanted = {column.name.casefold(): column.name for column in feed.columns}
    columns: list[str] = []
    taken: set[str] = set()
    for place, name in enumerate(names, start=1):
        if given := wanted.get(_folded(name, reading)):
            columns.append(given)
            continue
        own = trimmed(name) or f"column_{place}"
        # What follows the 60th character of a name is not in the table's.
        others = (own, f"{own}_{place}", f"column_{place}")
        free = (each for each in others if _stands(feed, each) not in taken)
        own = next(free, f"column_{place}_of_{len(names)}")
        taken.add(_stands(feed, own))
        columns.append(f"{UNKNOWN_MARK}{own}")
    return tuple(columns)


def _stands(feed: Feed, name: str) -> str:
    """The name under which values of an undeclared column stand."""
    return evolved_name(name, feed.table) if feed.drift == "evolve" else name


def _names(header: str, delimiter: str, reading: Reading) -> list[str]:
    how: Any = {"quotechar": reading.quote} if reading.quote else {"quoting": csv.QUOTE_NONE}
    try:
        return next(csv.reader([header], delimiter=delimiter, **how), [])
    except csv.Error:
        return header.split(delimiter)


def _folded(name: str, reading: Reading) -> str:
    return trimmed(reading.column_of(trimmed(name))).casefold()


def _delimiter(feed: Feed, header: str, reading: Reading) -> str | None:
    """The separator by which columns of the feed come to light that the declared one does not show."""
    wanted = {column.name.casefold() for column in feed.columns}

    def known(delimiter: str) -> int:
        return len(wanted & {_folded(name, reading) for name in _names(header, delimiter, reading)})

    best = max(DELIMITERS, key=known)
    return best if known(best) > known(reading.delimiter) else None


def _problems(feed: Feed, names: list[str], reading: Reading) -> str:
    """What is wrong with the columns, by name; empty where nothing is.

    Where the header is missing, its place may hold a person: such a feed's strange columns are only counted.
    """
    folded = [_folded(name, reading) for name in names]
    wanted = {column.name.casefold(): column.name for column in feed.columns}
    needed = [column for column in feed.columns if column.required or feed.drift == "refuse"]
    missing = [column.name for column in needed if column.name.casefold() not in folded]
    extra = _extra(feed, names, reading) if feed.drift == "refuse" else []
    doubled = sorted({name for name, times in Counter(folded).items() if times > 1})
    hidden = 0
    if feed.personal or feed.drift != "refuse":
        doubled = [name for name in doubled if name in wanted]
    if feed.personal:
        hidden, extra = len(extra), []
    if not set(folded) & set(wanted):
        missing = missing or list(wanted.values())
    named = [
        f"{label} {', '.join(repr(column[:100]) for column in columns[:20])}"
        for label, columns in (("missing", missing), ("not of this feed", extra), ("twice", doubled))
        if columns
    ]
    return "; ".join([*named, *([f"not of this feed {hidden} more"] if hidden else [])])


def _extra(feed: Feed, names: list[str], reading: Reading) -> list[str]:
    wanted = {column.name.casefold() for column in feed.columns}
    return [name for name in names if _folded(name, reading) not in wanted]
