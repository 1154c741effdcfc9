"""Which characters a value may have: what is trimmed at its ends, and what may not stand inside.

Standard library only: this module travels to AWS Glue beside the job scripts.
"""

import unicodedata
from functools import cache

_HIDDEN = (
    (0x00, 0x1F),  # controls
    (0x7F, 0x9F),
    (0xAD, 0xAD),  # soft hyphen
    (0x034F, 0x034F),  # combining grapheme joiner
    (0x061C, 0x061C),  # Arabic letter mark
    (0x115F, 0x1160),  # Hangul fillers
    (0x17B4, 0x17B5),  # Khmer inherent vowels
    (0x180E, 0x180E),  # Mongolian vowel separator
    (0x200B, 0x200F),  # zero width blank, joiners, direction marks
    (0x2028, 0x202E),  # line and paragraph separators, embeddings
    (0x2060, 0x206F),  # word joiner, invisible operators, isolates
    (0x2800, 0x2800),  # Braille without a dot
    (0x3164, 0x3164),  # Hangul filler
    (0xFEFF, 0xFEFF),  # byte order mark
    (0xFFA0, 0xFFA0),  # half width Hangul filler
    (0xFFF0, 0xFFFB),  # interlinear annotation, and what Unicode keeps free for its like
    (0x1BCA0, 0x1BCA3),  # shorthand controls
    (0x1D173, 0x1D17A),  # beams, ties, slurs and phrases of music
    (0xE0000, 0xE00FF),  # tags
    (0xE01F0, 0xE0FFF),
)
"""First and last code point of what nobody sees: Unicode's controls, format characters that leave no mark,
line separators, and fillers. A test holds them against Unicode's own categories."""

_SELECTORS = ((0x180B, 0x180D), (0x180F, 0x180F), (0xFE00, 0xFE0F), (0xE0100, 0xE01EF))
"""Variation selectors: nobody sees them, but they say which shape the character before them has."""

_WHITE = (
    (0x20, 0x20),
    (0xA0, 0xA0),  # no-break space
    (0x1680, 0x1680),
    (0x2000, 0x200A),
    (0x202F, 0x202F),
    (0x205F, 0x205F),
    (0x3000, 0x3000),  # ideographic space
)
"""Unicode's space separators; its other white space is hidden, too."""


def _characters(*ranges: tuple[int, int]) -> str:
    return "".join(chr(point) for first, last in ranges for point in range(first, last + 1))


_SPELLING = frozenset("\t\n\r\u200c\u200d" + _characters(*_SELECTORS))
"""What a text of several lines may have inside: line breaks, tabs, the zero width joiner and non-joiner that
Persian and Indic names are spelled with, and the variation selectors of Japanese ones."""

_HIDDEN_CHARACTERS = frozenset(_characters(*_HIDDEN, *_SELECTORS))
_HIDDEN_INSIDE = {False: _HIDDEN_CHARACTERS, True: _HIDDEN_CHARACTERS - _SPELLING}
"""What may not stand inside a value, by whether it may have several lines."""

_EDGES = _characters(*_HIDDEN, *_WHITE)


def trimmed(text: str) -> str:
    """A value as it counts: without white space and invisible characters at its ends, composed (NFC)."""
    if text.isascii() and text.isprintable():
        return text.strip(" ")
    return composed(text.strip(_EDGES))


def composed(text: str) -> str:
    """The text in Unicode's composed form (NFC): one spelling for what looks the same."""
    return text if unicodedata.is_normalized("NFC", text) else unicodedata.normalize("NFC", text)


@cache
def edge_class() -> str:
    """The inside of Java's regular expression `[...]` for what is trimmed at both ends."""
    return _java_class(_EDGES)


@cache
def hidden_class(*, several_lines: bool = False) -> str:
    """The inside of Java's regular expression `[...]` for what may not stand inside."""
    return _java_class("".join(_HIDDEN_INSIDE[several_lines]))


def _java_class(characters: str) -> str:
    ranges: list[tuple[int, int]] = []
    for point in sorted(map(ord, characters)):
        if ranges and point == ranges[-1][1] + 1:
            ranges[-1] = ranges[-1][0], point
        else:
            ranges.append((point, point))
    return "".join(f"\\x{{{first:x}}}-\\x{{{last:x}}}" for first, last in ranges)
