"""The listing of a million files answers as S3 does: in order, from where it is asked, a page at a time."""

import sys
from itertools import pairwise
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

# The benchmarks are no part of the distribution: they run where they stand.
sys.path.append(str(Path(__file__).parents[3]))
from benchmarks.million_keys import KEYS, etag_of, key_of, listed, page

NUMBERS = st.integers(0, KEYS - 1)


@given(NUMBERS, NUMBERS)
def test_keys_are_numbered_in_the_order_of_their_text(one: int, other: int) -> None:
    assert (one < other) == (key_of(one) < key_of(other))
    assert (one == other) == (etag_of(one) == etag_of(other))


@given(NUMBERS, st.integers(1, 2000))
def test_a_page_goes_on_behind_the_key_it_is_asked_from(number: int, most: int) -> None:
    numbers, more = listed("daily_flights/", key_of(number), most)

    assert list(numbers) == list(range(number + 1, min(number + 1 + most, KEYS)))
    assert more == (number + 1 + most < KEYS)


def test_a_prefix_bounds_what_is_listed() -> None:
    day = key_of(500_000).rpartition("/")[0]
    numbers, more = listed(f"{day}/", "", 1000)

    assert [key_of(number).rpartition("/")[0] for number in numbers] == [day] * 200
    assert not more
    assert listed("bookings/", "", 1000) == (range(0), False)
    assert len(listed("", "", KEYS)[0]) == KEYS


def test_pages_hold_every_key_once() -> None:
    starts, after = [0], ""
    while True:
        numbers, more = listed("", after, 30_000)
        starts.append(numbers[-1] + 1)
        after = key_of(numbers[-1])
        if not more:
            break

    assert (starts[0], starts[-1]) == (0, KEYS)
    assert all(low < high for low, high in pairwise(starts))


def test_a_page_is_what_s3_writes() -> None:
    text = page("daily_flights/", key_of(6), 2)

    assert "<IsTruncated>true</IsTruncated>" in text
    assert text.count("<Contents>") == 2
    assert f"<Key>{key_of(7)}</Key>" in text
