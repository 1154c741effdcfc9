"""An array of any size comes apart into its elements, a piece at a time, and is told where it is broken."""

import json
import tracemalloc
from collections.abc import Iterator
from itertools import islice, repeat
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from glue_jobs.records.json_records import EARLY, LONGEST_ELEMENT, NotAnArray, elements

NAME = "Zaphod Beeblebrox"
SOME = settings(max_examples=300)

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
arrays = st.lists(values, max_size=6)


def sliced(text: str | bytes, size: int) -> Iterator[bytes]:
    body = text.encode() if isinstance(text, str) else text
    return (body[start : start + size] for start in range(0, len(body), size))


def split(text: str | bytes, size: int = 1 << 20) -> list[str]:
    return list(elements(sliced(text, size)))


def broken(text: str | bytes, size: int = 1 << 20) -> tuple[list[str], NotAnArray]:
    """What was given before the text stopped being an array, and what was said of it."""
    found: list[str] = []
    with pytest.raises(NotAnArray) as raised:
        found.extend(elements(sliced(text, size)))
    return found, raised.value


@SOME
@given(arrays, st.sampled_from([None, 0, 2]), st.booleans(), st.integers(1, 30))
@example([1.5, -2e300, 10**30], None, True, 1)
def test_any_array_comes_apart_into_its_values_however_it_is_sliced(
    array: list[Any], indent: int | None, only_ascii: bool, size: int
) -> None:
    text = json.dumps(array, indent=indent, ensure_ascii=only_ascii)

    assert [json.loads(element) for element in split(text, size)] == array
    assert split(text, size) == split(text)


@SOME
@given(arrays, st.sampled_from([None, 2]), st.integers(1, 30), st.data())
@example([123], None, 1, None)
def test_an_array_cut_anywhere_is_told_and_gives_only_whole_elements(
    array: list[Any], indent: int | None, size: int, data: st.DataObject | None
) -> None:
    body = json.dumps(array, indent=indent, ensure_ascii=False).encode()
    cut = data.draw(st.integers(0, len(body) - 1)) if data else len(body) - 2

    found, error = broken(body[:cut], size)

    assert [json.loads(element) for element in found] == array[: len(found)]
    assert 1 <= error.line <= 1 + body[:cut].count(b"\n")


@pytest.mark.parametrize("cut", ["[", '[{"a": 1}', '[{"a": 1},', '[{"a": 1}, {"b', '[{"a": 1}, {"b": ', "[1"])
def test_a_missing_end_is_told_as_such(cut: str) -> None:
    assert broken(cut)[1].found == EARLY


@pytest.mark.parametrize("text", ["[]", " [ ] ", "\n[\r\n]\n\n", "\ufeff[]"])
def test_an_empty_array_has_no_elements(text: str) -> None:
    assert split(text, 1) == []


def test_an_element_is_the_text_that_stood_there() -> None:
    text = '[ {"a" : 1.50E+3,\n "a": "\\u00e9é"} ,NaN, -Infinity,1.0 , "]" ]'

    assert split(text, 1) == ['{"a" : 1.50E+3,\n "a": "\\u00e9é"}', "NaN", "-Infinity", "1.0", '"]"']


def test_a_number_of_any_length_is_an_element() -> None:
    assert split(f"[{'9' * 10_000}]", 100) == ["9" * 10_000]


def test_a_byte_order_mark_is_no_part_of_the_array() -> None:
    assert split(b'\xef\xbb\xbf[{"a": 1}]', 1) == ['{"a": 1}']


@pytest.mark.parametrize("size", [1, 3, 100])
def test_bytes_that_are_not_utf_8_show_in_their_element_alone(size: int) -> None:
    assert split(b'["a", "b\xff", "c"]', size) == ['"a"', '"b\ufffd"', '"c"']


@pytest.mark.parametrize(
    ("text", "line", "found"),
    [
        ("", 1, "no array begins"),
        ("\n\n", 3, "no array begins"),
        (f'\n{{"name": "{NAME}"}}', 2, "no array begins"),
        (f'[\n"a",\n{NAME},\n"b"]', 3, "an element that is not JSON"),
        ('[\n"a",\n]', 3, "an element that is not JSON"),
        ('[\n{"a": 1,}]', 2, "an element that is not JSON"),
        (f'["a"\n"{NAME}"]', 2, "neither a comma nor the array's end after an element"),
        (f'["a"]\n\n["{NAME}"]', 3, "text after the array's end"),
        ('["a"]]', 1, "text after the array's end"),
        (f"[\n{'[' * 5_000}{']' * 4_999}", 2, EARLY),
    ],
)
@pytest.mark.parametrize("size", [1, 7, 1 << 20])
def test_what_is_no_array_is_told_with_its_line_and_without_its_text(
    text: str, line: int, found: str, size: int
) -> None:
    error = broken(text, max(size, len(text) // 100))[1]

    assert (error.line, error.found) == (line, found)
    assert str(error) == f"line {line}: {found}"


def test_lines_are_counted_through_the_elements_passed() -> None:
    text = json.dumps([{"a": number} for number in range(1000)], indent=1).replace(" 567", " 5,67")
    line = text[: text.index(" 5,67")].count("\n")

    found, error = broken(text, 50)

    # An element is named by its first line.
    assert (len(found), error.line, error.found) == (567, line, "an element that is not JSON")


@pytest.mark.parametrize("text", [b'["', b"[[1,", b"[9"])
def test_an_element_without_an_end_is_not_read_for_ever(text: bytes) -> None:
    asked = 0

    def endless() -> Iterator[bytes]:
        nonlocal asked
        yield text
        for piece in repeat(b"1," * 32_000 if text == b"[[1," else b"7" * 64_000):
            asked += 1
            yield piece

    with pytest.raises(NotAnArray, match="longer than 1,048,576 characters"):
        list(elements(endless()))
    assert asked <= LONGEST_ELEMENT // 64_000 + 1


@pytest.mark.parametrize("size", [1 << 16, 1 << 20, 1 << 22])
@pytest.mark.parametrize("before", [b"[", b'["a", '])
def test_the_longest_element_is_the_same_in_all_slices(before: bytes, size: int) -> None:
    longest = b'"' + b"x" * (LONGEST_ELEMENT - 2) + b'"'

    assert split(before + longest + b"]", size)[-1] == longest.decode()
    error = broken(before + longest[:-1] + b'x"]', size)[1]
    assert error.found == "an element that is not JSON, or is longer than 1,048,576 characters"


def test_an_array_of_many_megabytes_is_never_held() -> None:
    row = json.dumps({"number": 1, "name": NAME, "text": "x" * 400}).encode() + b",\n"
    piece = row * (64 * 1024 // len(row))
    pieces = 20_000_000 // len(piece)

    def large() -> Iterator[bytes]:
        yield b"["
        yield from islice(repeat(piece), pieces)
        yield b"0]"

    tracemalloc.start()
    count = sum(1 for _ in elements(large()))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert count == pieces * (len(piece) // len(row)) + 1
    assert peak < 2_000_000


@pytest.mark.parametrize("size", [1000, 1 << 20])
def test_an_element_nested_deeper_than_python_can_follow_ends_where_its_brackets_do(size: int) -> None:
    deep = '[{"a]}": ' * 1_500 + '"\\"]"' + "}]" * 1_500
    body = f'[{{"id": 1}}, {deep}, 2]'.encode()

    found = list(elements(body[start : start + size] for start in range(0, len(body), size)))

    assert found == ['{"id": 1}', deep, "2"]


@pytest.mark.parametrize("depth", [300, 900, 990, 1_100])
def test_where_an_element_ends_does_not_depend_on_how_deep_its_reader_stands(depth: int) -> None:
    body = f"[1, {'[' * depth}{']' * depth}, 2]".encode()

    def from_below(frames: int) -> list[str]:
        return from_below(frames - 1) if frames else list(elements([body]))

    assert from_below(0) == from_below(300) == ["1", "[" * depth + "]" * depth, "2"]
