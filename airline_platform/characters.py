"""Which characters a value may have: what is trimmed at its ends, and what may not stand inside.

Standard library only: this module travels to AWS Glue beside the job scripts.
"""

import unicodedata
from functools import cache

JOINERS = "\u200c\u200d"
"""Zero width non-joiner and joiner: Persian and Indic names are spelled with them."""

LINE_CHARACTERS = "\t\n\r"
"""What a text of several lines has inside."""

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
    (0x2060, 0x2064),  # word joiner and invisible operators
    (0x2066, 0x206F),  # isolates
    (0x3164, 0x3164),  # Hangul filler
    (0xFEFF, 0xFEFF),  # byte order mark
    (0xFFA0, 0xFFA0),  # half width Hangul filler
    (0xFFF9, 0xFFFB),  # interlinear annotation
    (0xE0001, 0xE0001),  # language tags
    (0xE0020, 0xE007F),
)
"""First and last code point of what nobody sees: Unicode's controls, format characters that leave no mark,
line separators, and fillers. A test holds them against Unicode's own categories."""

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


_HIDDEN_CHARACTERS = frozenset(_characters(*_HIDDEN))
_EDGES = _characters(*_HIDDEN, *_WHITE)


def trimmed(text: str) -> str:
    """A value as it counts: without white space and invisible characters at its ends, composed (NFC)."""
    if text.isascii() and text.isprintable():
        return text.strip(" ")
    return composed(text.strip(_EDGES))


def composed(text: str) -> str:
    """The text in Unicode's composed form (NFC): one spelling for what looks the same."""
    return text if unicodedata.is_normalized("NFC", text) else unicodedata.normalize("NFC", text)


def first_hidden(text: str, *, several_lines: bool = False) -> str | None:
    """Name the first control or invisible character inside a text.

    Args:
        text: Trimmed.
        several_lines: Whether line breaks, tabs and joiners may stand in it.

    Returns:
        Such as `U+200B at character 3`; None where there is none.
    """
    if text.isascii() and text.isprintable():
        return None
    allowed = LINE_CHARACTERS + JOINERS if several_lines else ""
    for place, character in enumerate(text, start=1):
        if character in _HIDDEN_CHARACTERS and character not in allowed:
            return f"U+{ord(character):04X} at character {place}"
    return None


@cache
def edge_class() -> str:
    """The inside of Java's regular expression `[...]` for what is trimmed at both ends."""
    return _java_class(_EDGES)


@cache
def hidden_class(*, several_lines: bool = False) -> str:
    """The inside of Java's regular expression `[...]` for what may not stand inside."""
    allowed = LINE_CHARACTERS + JOINERS if several_lines else ""
    return _java_class("".join(_HIDDEN_CHARACTERS - set(allowed)))


def _java_class(characters: str) -> str:
    ranges: list[tuple[int, int]] = []
    for point in sorted(map(ord, characters)):
        if ranges and point == ranges[-1][1] + 1:
            ranges[-1] = ranges[-1][0], point
        else:
            ranges.append((point, point))
    return "".join(f"\\x{{{first:x}}}-\\x{{{last:x}}}" for first, last in ranges)
