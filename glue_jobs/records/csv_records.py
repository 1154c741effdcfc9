"""Tells the records of a CSV file apart (RFC 4180), a piece at a time, and counts every line of it.

A record may have line breaks inside quotes. Where a quote is opened by mistake, the rest of the file is not
its field: its line stands alone, and the next line is a record again.

Standard library only: this module travels to AWS Glue beside the job scripts.
"""

import re
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Literal, NamedTuple

LONGEST_RECORD = 20_000
"""Most bytes of a record of several lines."""

LONGEST_LINE = 16 << 20
"""Bytes of a line that no engine is asked to hold; a file with a longer one is refused."""

PADDING = " \t"
"""What a repeated header may have more or less of than the first one, besides quotes."""

Lines = tuple[bytes, list[bytes]]
"""Whole lines as they stand in the file, and the same ones without their ends."""

Kind = Literal["row", "blank", "header"]


class LineTooLong(ValueError):  # noqa: N818 - it says what the line is
    """A line has more than `LONGEST_LINE` bytes.

    Args:
        line: Which one, counted from 1.
    """

    def __init__(self, line: int) -> None:
        super().__init__(f"line {line} is longer than {LONGEST_LINE:,} bytes")
        self.line = line


@dataclass(frozen=True)
class Layout:
    """What has to be known of a file to tell its records apart.

    Args:
        first: Line of the first record, counted from 1; what stands before it is skipped.
        header: The file's header; a line that repeats it is none of its rows.
        width: Fields of a record.
        delimiter: Between the fields; one ASCII character.
        quote: Around fields; empty where quotes mean nothing.
    """

    first: int
    header: str
    width: int
    delimiter: str = ","
    quote: str = '"'


class Record(NamedTuple):
    """One record: the line where it begins, counted from 1, how many lines it has, and its text."""

    line: int
    lines: int
    text: bytes


@dataclass(frozen=True)
class Count:
    """What the lines of a file are: `lines` = before + headers + blank + rows + further lines of rows.

    Args:
        lines: All of them, counted by their ends alone.
        skipped: Those before the first record, the header among them.
        headers: Lines that repeat the header.
        blank: Lines without a character that is seen.
        rows: Records.
        further: Lines of records besides their first ones.
    """

    lines: int
    skipped: int
    headers: int
    blank: int
    rows: int
    further: int

    @property
    def adds_up(self) -> bool:
        """Whether every line is accounted for."""
        return self.lines == self.skipped + self.headers + self.blank + self.rows + self.further


def squeezed(header: str, quote: str) -> str:
    """A header as it is compared: without padding and quotes."""
    return header.translate(dict.fromkeys(map(ord, PADDING + quote)))


def lines_of(pieces: Iterable[bytes]) -> Iterator[Lines]:
    r"""Cut a text into lines, which end with `\n`, `\r\n` or `\r`, as Spark ends them.

    Raises:
        LineTooLong: A line is longer than anybody should hold.
    """
    rest, number = b"", 1
    for piece in pieces:
        text = rest + piece
        # A `\r` at the end may be half of a `\r\n`.
        end = max(text.rfind(b"\n"), text.rfind(b"\r", 0, len(text) - 1)) + 1
        rest = text[end:]
        if end:
            lines = text[:end].splitlines()
            if end > LONGEST_LINE:
                _refuse_longest(lines, number)
            number += len(lines)
            yield text[:end], lines
        if len(rest) > LONGEST_LINE:
            raise LineTooLong(number)
    if rest:
        yield rest, rest.splitlines()


def _refuse_longest(lines: Iterable[bytes], number: int) -> None:
    """Raise where a line is too long, whether it came in one piece or in many; the first has this number."""
    for place, line in enumerate(lines, start=number):
        if len(line) > LONGEST_LINE:
            raise LineTooLong(place)


def records(pieces: Iterable[bytes], layout: Layout) -> Iterator[Record]:
    """The records of a file, in their order.

    Args:
        pieces: The file in UTF-8, or any encoding that has ASCII in it, in any slices.
        layout: The file's.
    """
    lines = chain.from_iterable(some for _, some in lines_of(pieces))
    return (record for kind, record in _walk(lines, 0, layout) if kind == "row")


def count(pieces: Iterable[bytes], layout: Layout) -> Count:
    """Count what the lines of a file are; holds no more of it than a piece and a line.

    Args:
        pieces: As for `records`.
        layout: The file's.

    Raises:
        LineTooLong: A line is longer than anybody should hold.
    """
    physical = number = 0
    kinds: Counter[str] = Counter()
    quote = layout.quote.encode()
    is_header = _header_test(layout)
    marker = _marker(layout)
    texts = lines_of(pieces)

    def counted(pieces: Iterable[Lines]) -> Iterator[Lines]:
        nonlocal physical
        for text, lines in pieces:
            physical += _ends(text)
            yield text, lines

    texts = counted(texts)
    for text, lines in texts:
        if quote and quote in text and any(line.count(quote) & 1 for line in lines):
            rest = chain(lines, chain.from_iterable(more for _, more in texts))
            for kind, record in _walk(rest, number, layout):
                kinds[kind] += 1
                kinds["further"] += record.lines - 1
            break
        rows = lines[max(0, layout.first - 1 - number) :]
        number += len(lines)
        blank = sum(1 for line in rows if not line or line.isspace())
        headers = sum(map(is_header, rows)) if marker in text else 0
        kinds.update(blank=blank, header=headers, row=len(rows) - blank - headers)
    skipped = min(physical, layout.first - 1)
    return Count(physical, skipped, kinds["header"], kinds["blank"], kinds["row"], kinds["further"])


def _ends(text: bytes) -> int:
    """Lines of a text that ends with one, by their ends alone."""
    ends = text.count(b"\n") + text.count(b"\r") - text.count(b"\r\n")
    return ends if text.endswith((b"\n", b"\r")) else ends + 1


def _walk(lines: Iterable[bytes], number: int, layout: Layout) -> Iterator[tuple[Kind, Record]]:
    """What each line is, and the record that begins there; `number` lines stand before them."""
    source, ahead = iter(lines), deque[bytes]()
    is_header = _header_test(layout)
    quote = layout.quote.encode()
    while True:
        line = ahead.popleft() if ahead else next(source, None)
        if line is None:
            return
        number += 1
        if number < layout.first:
            continue
        record = Record(number, 1, line)
        if not line or line.isspace():
            yield "blank", record
        elif is_header(line):
            yield "header", record
        else:
            if quote and line.count(quote) & 1:
                record = _whole(record, layout, ahead, source)
                number += record.lines - 1
            yield "row", record


def _whole(record: Record, layout: Layout, ahead: deque[bytes], source: Iterator[bytes]) -> Record:
    """The record with the lines that its quotes hold together; where they do not, its first line alone."""
    fields = _Fields(layout)
    fields.read(record.text)
    taken = [record.text]
    size = len(record.text)
    # With a limit of fields, too, no line is looked at more often than a record has fields.
    while fields.open and size <= LONGEST_RECORD and fields.count <= layout.width:
        line = ahead.popleft() if ahead else next(source, None)
        if line is None:
            break
        taken.append(line)
        size += len(line) + 1
        fields.read(line)
    if not fields.open and fields.sound and fields.count == layout.width and size <= LONGEST_RECORD:
        return Record(record.line, len(taken), b"\n".join(taken))
    ahead.extendleft(reversed(taken[1:]))
    return record


class _Fields:
    """Counts the fields of a record that comes line by line.

    Attributes:
        open: Whether a quoted field goes on with the next line.
        sound: Whether what stands behind each closing quote is a delimiter or the end.
        count: Fields so far.
    """

    def __init__(self, layout: Layout) -> None:
        self._delimiter, self._quote = layout.delimiter.encode(), layout.quote.encode()
        self._blanks = re.compile(f"[{PADDING.replace(layout.delimiter, '')}]*".encode())
        self.open, self.sound, self.count = False, True, 1

    def read(self, line: bytes) -> None:
        """Take in the next line."""
        at = self._behind_quotes(line, 0) if self.open else self._behind_field(line, 0)
        while self.sound and not self.open and at < len(line):
            self.count += 1
            at = self._behind_field(line, at + 1)

    def _behind_field(self, line: bytes, at: int) -> int:
        """Where the field that begins here ends: at a delimiter, or at the line's end."""
        begins = self._blanks.match(line, at).end()  # type: ignore[union-attr] # it matches nothing, too
        if line.startswith(self._quote, begins):
            return self._behind_quotes(line, begins + 1)
        end = line.find(self._delimiter, at)
        return len(line) if end < 0 else end

    def _behind_quotes(self, line: bytes, at: int) -> int:
        self.open = True
        while (closing := line.find(self._quote, at)) >= 0:
            if not line.startswith(self._quote, closing + 1):
                self.open = False
                end = self._blanks.match(line, closing + 1).end()  # type: ignore[union-attr]
                self.sound = end == len(line) or line.startswith(self._delimiter, end)
                return end
            at = closing + 2
        return len(line)


def _header_test(layout: Layout) -> Callable[[bytes], bool]:
    header, marker = squeezed(layout.header, layout.quote).encode(), _marker(layout)
    padding = (PADDING + layout.quote).encode()
    return lambda line: marker in line and line.translate(None, padding) == header


def _marker(layout: Layout) -> bytes:
    return marker_of(layout.header, layout.delimiter, layout.quote).encode()


def marker_of(header: str, delimiter: str, quote: str) -> str:
    """A part of the header that a line has to have to be looked at more closely: its longest word."""
    words: Sequence[str] = re.split(f"[{re.escape(PADDING + quote + delimiter)}]", header)
    return max(words, key=len)
