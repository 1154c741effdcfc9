"""What nobody sees is known by Unicode's own categories: trimmed at a value's ends, refused inside."""

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glue_jobs.records.characters import composed, edge_class, hidden_class, trimmed

EVERY = [
    chr(point)
    for plane in (0, 1, 2, 14)  # the others hold ideographs, private characters, or none
    for point in range(plane << 16, (plane + 1) << 16)
    if not 0xD800 <= point <= 0xDFFF
]


def among(*ranges: tuple[int, int]) -> set[str]:
    return {chr(point) for first, last in ranges for point in range(first, last + 1)}


VISIBLE_FORMATS = among(
    (0x0600, 0x0605),  # Arabic number signs: drawn under and over the digits that follow
    (0x06DD, 0x06DD),  # Arabic end of ayah
    (0x070F, 0x070F),  # Syriac abbreviation mark: a line over the letters that follow
    (0x0890, 0x0891),  # Arabic pound and piastre marks
    (0x08E2, 0x08E2),  # Arabic disputed end of ayah
    (0x110BD, 0x110BD),  # Kaithi number signs
    (0x110CD, 0x110CD),
    (0x13430, 0x1343F),  # Egyptian hieroglyphs stand over, under and in each other by them
)
"""Unicode's format characters (Cf) that leave a mark on paper."""

FILLERS = among(
    (0x034F, 0x034F),  # combining grapheme joiner
    (0x115F, 0x1160),  # Hangul fillers
    (0x17B4, 0x17B5),  # Khmer inherent vowels
    (0x2800, 0x2800),  # Braille without a dot
    (0x3164, 0x3164),
    (0xFFA0, 0xFFA0),
)
"""Letters, marks and a symbol of other categories that are not seen either."""

SELECTORS = among((0x180B, 0x180D), (0x180F, 0x180F), (0xFE00, 0xFE0F), (0xE0100, 0xE01EF))
"""Variation selectors: they change the character before them."""

KEPT_FREE = among((0x2065, 0x2065), (0xFFF0, 0xFFF8), (0xE0000, 0xE0FFF)) - SELECTORS
"""What Unicode says is not drawn, also where no character is yet (Default_Ignorable_Code_Point)."""

HIDDEN = (
    {
        character
        for character in EVERY
        if unicodedata.category(character) in ("Cc", "Zl", "Zp", "Cf") and character not in VISIBLE_FORMATS
    }
    | FILLERS
    | SELECTORS
    | KEPT_FREE
)

WHITE = {character for character in EVERY if unicodedata.category(character) == "Zs"} | among(
    (0x09, 0x0D), (0x85, 0x85), (0x2028, 0x2029)
)
"""Unicode's White_Space: the space separators and six controls and separators of lines."""


def in_class(inside: str) -> set[str]:
    """The characters of the inside of a regular expression `[...]` of Java's."""
    ranges = re.findall(r"\\x\{([0-9a-f]+)\}-\\x\{([0-9a-f]+)\}", inside)
    assert "".join(rf"\x{{{first}}}-\x{{{last}}}" for first, last in ranges) == inside
    return among(*((int(first, 16), int(last, 16)) for first, last in ranges))


def test_hidden_is_what_unicode_calls_a_control_a_line_separator_or_a_format_and_what_fills_places() -> None:
    assert in_class(hidden_class()) == HIDDEN


def test_white_space_and_what_is_hidden_go_from_both_ends_but_a_selector_belongs_to_its_character() -> None:
    gone = {character for character in EVERY if trimmed(f"{character}A{character}") == "A"}

    assert gone == (HIDDEN - SELECTORS) | WHITE
    assert {character for character in EVERY if character.isspace()} <= gone


def test_spark_and_python_trim_the_same_characters() -> None:
    assert in_class(edge_class()) == (HIDDEN - SELECTORS) | WHITE


def test_a_text_of_several_lines_may_have_line_breaks_tabs_joiners_and_selectors_inside() -> None:
    allowed = HIDDEN - in_class(hidden_class(several_lines=True))

    assert allowed == {"\t", "\n", "\r", "\u200c", "\u200d"} | SELECTORS


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (" a b ", "a b"),
        ("\ufeff\u00a0Newark\u3000\t", "Newark"),
        ("\u202eUA\u202c", "UA"),
        ("Zu\u0308rich", "Zürich"),
        ("\u200bZu\u0308rich\u200b", "Zürich"),
        (" \t\u200b", ""),
        ("", ""),
        ("葛\U000e0100", "葛\U000e0100"),
    ],
)
def test_a_value_counts_without_what_stands_around_it_and_composed(text: str, value: str) -> None:
    assert trimmed(text) == value


@given(st.text())
def test_a_trimmed_text_has_nothing_left_to_trim_or_to_compose(text: str) -> None:
    value = trimmed(text)

    assert trimmed(value) == composed(value) == value
    assert unicodedata.is_normalized("NFC", value)
