"""How the files of a feed are written: what is declared where a partner's export differs from the default.

Standard library only: this module travels to AWS Glue beside the job scripts.
"""

import codecs
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

from airline_platform.contract.declaration import DeclarationError, place

UTF_8 = "utf-8"
_PARTS = {"YYYY": "[0-9]{4}", "MM": "[0-9]{2}", "DD": "[0-9]{2}"}
_DATE_PARTS = re.compile("|".join(_PARTS))


@dataclass(frozen=True)
class Reading:
    r"""How a file is to be read. What is detected and not declared refuses the file, with the option named.

    Args:
        delimiter: Between the fields of CSV; one character.
        quote: Around fields of CSV, doubled inside them; empty where quotes mean nothing.
        encoding: Of the text, by Python's name for it.
        nulls: What stands for no value, besides nothing at all; such as `NA` or `\\N`.
        decimal_comma: Whether numbers have a comma where others have a point.
        dates: How a date is written, with `YYYY`, `MM` and `DD`; empty for the column's own way.
        names: Other names of columns: pairs of a column's name and what files call it.
        skip_lines: Lines before the header of CSV that mean nothing.
        sep_line: Whether Excel's hint `sep=,` may stand before the header of CSV; it names the delimiter.
    """

    delimiter: str = ","
    quote: str = '"'
    encoding: str = UTF_8
    nulls: tuple[str, ...] = ()
    decimal_comma: bool = False
    dates: str = ""
    names: tuple[tuple[str, str], ...] = ()
    skip_lines: int = 0
    sep_line: bool = True

    def __post_init__(self) -> None:
        """Refuse options that can't be.

        Raises:
            DeclarationError: Naming the option, what is expected and what came.
        """
        if problem := self._problem():
            raise DeclarationError(f"{place()}{problem}")

    def _problem(self) -> str | None:
        if not _separates(self.delimiter, besides="\t") or self.delimiter == '"':
            return f"delimiter: expected one ASCII character, got {self.delimiter!r}"
        if self.quote and (not _separates(self.quote) or self.quote == self.delimiter):
            return (
                f"quote: expected one ASCII character or none, other than the delimiter, got {self.quote!r}"
            )
        if not _is_text_encoding(self.encoding):
            return f"encoding: expected a name such as utf-8, latin-1 or cp1252, got {self.encoding!r}"
        parts = _DATE_PARTS.findall(self.dates)
        if self.dates and (
            sorted(parts) != sorted(_PARTS) or re.search("[YMD]", _DATE_PARTS.sub("", self.dates))
        ):
            return f"dates: expected YYYY, MM and DD, such as DD.MM.YYYY, got {self.dates!r}"
        if self.skip_lines < 0:
            return f"skip_lines: expected 0 or more, got {self.skip_lines}"
        return None

    @property
    def is_utf_8(self) -> bool:
        """Whether the text is UTF-8, which engines read by themselves."""
        return codecs.lookup(self.encoding).name == UTF_8

    def column_of(self, name: str) -> str:
        """The column's name of which a file has this one; the name itself where none is declared."""
        folded = name.strip().casefold()
        return next((mine for mine, theirs in self.names if theirs.casefold() == folded), name)

    @property
    def date_pattern(self) -> tuple[str, str] | None:
        """Regular expression of a date's text, and what makes `YYYY-MM-DD` of its groups."""
        if not self.dates:
            return None
        parts = _DATE_PARTS.findall(self.dates)
        pattern = re.escape(self.dates)
        for part in parts:
            pattern = pattern.replace(part, f"({_PARTS[part]})")
        return pattern, "-".join(f"${parts.index(part) + 1}" for part in _PARTS)

    def as_json(self) -> dict[str, Any]:
        """What differs from the default, for a manifest."""
        default = Reading()
        return {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if getattr(self, field.name) != getattr(default, field.name)
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Back from a manifest."""
        given = dict(document)
        if "nulls" in given:
            given["nulls"] = tuple(given["nulls"])
        if "names" in given:
            given["names"] = tuple((mine, theirs) for mine, theirs in given["names"])
        return cls(**given)


def _separates(character: str, *, besides: str = "") -> bool:
    """Whether a character can stand between or around fields: one of ASCII, but no NUL and no blank."""
    if len(character) != 1 or not character.isascii() or character == "\0":
        return False
    return character in besides or not character.encode().isspace()


def _is_text_encoding(name: str) -> bool:
    """Whether Python knows an encoding of text by this name; it has others, such as base64."""
    try:
        "".encode(name)
        codecs.getincrementaldecoder(name)
    except (LookupError, ValueError):
        return False
    return True
