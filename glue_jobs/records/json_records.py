"""Splits a JSON array of any size into its elements, a piece at a time.

Standard library only: this module travels to AWS Glue beside the job scripts.
"""

import codecs
import json
import re
from collections.abc import Iterable, Iterator

LONGEST_ELEMENT = 1 << 20
"""Most characters of an element; a longer one can't be told from text that is no JSON and never ends."""

EARLY = "the array ends early"
"""What is found where the rest of it is missing."""

_NO_JSON = "an element that is not JSON"
_BLANKS = re.compile(r"[ \t\r\n]*")
_GOES_ON = re.compile("[-+.0-9eE]*")
"""What a number may go on with; nothing but this behind a value: it may not be whole yet."""

_BRACKETS = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|["\[\]{}]', re.DOTALL)
"""A string, a quote that opens one without an end, or a bracket."""

_DECODER = json.JSONDecoder(parse_float=str, parse_int=str)
"""Numbers stay text: they are only passed over, and Python refuses whole ones of more than 4,300 digits."""


class NotAnArray(ValueError):  # noqa: N818 - it says what the text is
    """The text stops being a JSON array.

    Args:
        line: Line of the text, counted from 1.
        found: What stands there; never a part of the text, which may name a person.
    """

    def __init__(self, line: int, found: str) -> None:
        super().__init__(f"line {line}: {found}")
        self.line = line
        self.found = found


def elements(pieces: Iterable[bytes]) -> Iterator[str]:
    """The text of each element of an array, as it stands there.

    NaN counts as a value, as in Python's JSON, and so does what is nested deeper than Python can follow.

    Args:
        pieces: The array in UTF-8, in any slices; bytes that are not UTF-8 become U+FFFD.

    Raises:
        NotAnArray: At the place where it is no array; what came before was yielded.
    """
    text = _Text(pieces)
    if text.skip("[") != "[":
        raise NotAnArray(text.line, "no array begins")
    if text.skip("]") != "]":
        yield text.element()
        while text.skip(",]") == ",":
            yield text.element()
        if text.last != "]":
            found = "neither a comma nor the array's end after an element" if text.last else EARLY
            raise NotAnArray(text.line, found)
    if text.skip("") or not text.ended:
        raise NotAnArray(text.line, "text after the array's end")


class _Text:
    """A text that is read as far as it is needed, and forgotten behind that."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self.line = 1
        self.last = ""
        self.ended = False
        self._pieces = iter(pieces)
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")("replace")
        self._text = ""
        self._at = 0

    def skip(self, wanted: str) -> str:
        """Pass over blanks, and over the character after them if it is wanted; return that character."""
        while True:
            self._pass(_BLANKS.match(self._text, self._at).end())  # type: ignore[union-attr] # it may be empty
            self.last = self._text[self._at : self._at + 1]
            if self.last or not self._read():
                break
        if self.last and self.last in wanted:
            self._pass(self._at + 1)
        return self.last

    def element(self) -> str:
        """Pass over the next value, and return its text.

        Raises:
            NotAnArray: There is none.
        """
        self.skip("")
        found = _NO_JSON
        while True:
            try:
                _, end = _DECODER.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                end, found = 0, self._judge(error)
            except RecursionError:
                # How deep Python can go depends on who asks; where the element ends must not.
                end, found = _end_of_nested(self._text, self._at), EARLY if self.ended else _NO_JSON
            whole = end and not _GOES_ON.fullmatch(self._text, end)
            # Also where it is whole: who reads the array again, in other slices, has to find the same.
            if (end if whole else len(self._text)) - self._at > LONGEST_ELEMENT:
                raise NotAnArray(self.line, f"{found}, or is longer than {LONGEST_ELEMENT:,} characters")
            if whole:
                element = self._text[self._at : end]
                self._pass(end)
                return element
            if not self._read():
                raise NotAnArray(self.line, EARLY if end else found)

    def _judge(self, error: json.JSONDecodeError) -> str:
        cut = error.pos >= len(self._text.rstrip()) or error.msg.startswith("Unterminated")
        return EARLY if cut and self.ended else _NO_JSON

    def _pass(self, end: int) -> None:
        self.line += self._text.count("\n", self._at, end)
        self._at = end

    def _read(self) -> bool:
        """Read on; False at the end."""
        if self.ended:
            return False
        piece = next(self._pieces, None)
        self.ended = piece is None
        self._text = self._text[self._at :] + self._decoder.decode(piece or b"", self.ended)
        self._at = 0
        return True


def _end_of_nested(text: str, at: int) -> int:
    """Where the array or object that begins here ends, by its brackets; 0 where the text ends before."""
    depth = 0
    for bracket in _BRACKETS.finditer(text, at):
        mark = bracket[0]
        if mark == '"':
            return 0
        if len(mark) == 1:
            depth += 1 if mark in "[{" else -1
            if not depth:
                return bracket.end()
    return 0
