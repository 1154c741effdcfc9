"""Pictures are small, are pictures of what they were given, and also of nothing."""

import io
from collections import Counter

import pytest
from PIL import Image

from assets.report.pictures import (
    BINS,
    BLUE,
    GREY,
    HEIGHT,
    ORANGE,
    OTHERS,
    RED,
    SKY,
    WIDTH,
    as_markdown,
    days_up_to,
    delay_distribution,
    gathered,
    last_30_days,
    rejected_reasons,
)

DAY = "2013-03-02"
LARGEST = 8 * 1024
BUSY = {start: 40_000 // (1 + abs(start)) for start in BINS}
REASONS = {f"Column{number}: expected a whole number": 100 - number for number in range(12)}


def pixels(png: bytes) -> Image.Image:
    with Image.open(io.BytesIO(png)) as image:
        image.load()
        return image.convert("RGB")


def amount(png: bytes, colour: str) -> int:
    """How many pixels are of a colour, or nearly: a palette moves it a little."""
    wanted = tuple(int(colour[at : at + 2], 16) for at in (1, 3, 5))
    counted = Counter(pixels(png).get_flattened_data())
    return sum(
        many
        for found, many in counted.items()
        if all(abs(a - b) < 24 for a, b in zip(found, wanted, strict=True))
    )


PICTURES = {
    "delays of a busy day": delay_distribution(DAY, BUSY, BUSY),
    "delays in one bin": delay_distribution(DAY, {0: 1}, {}),
    "delays of a day on which nothing flew": delay_distribution(DAY, {}, {}),
    "30 days": last_30_days(DAY, dict.fromkeys(days_up_to(DAY), 20_000), dict.fromkeys(days_up_to(DAY), 9.5)),
    "30 days of which one has flights": last_30_days(DAY, {DAY: 1}, {DAY: -3.0}),
    "30 days without any": last_30_days(DAY, {}, {}),
    "30 days on which all was cancelled": last_30_days(DAY, dict.fromkeys(days_up_to(DAY), 7), {}),
    "12 reasons": rejected_reasons(DAY, REASONS),
    "one reason": rejected_reasons(DAY, {"expected 5 fields (a,b,c,d,e)": 1}),
    "no reason": rejected_reasons(DAY, {}),
    "reasons that look like mathematics": rejected_reasons(DAY, {"$\\frac{1}$ & <b>": 3, "x" * 500: 2}),
}


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_a_small_png(name: str) -> None:
    png = PICTURES[name]

    assert png.startswith(b"\x89PNG")
    assert pixels(png).size == (WIDTH, HEIGHT) == (480, 190)
    assert len(png) <= LARGEST


def test_the_same_figures_give_the_same_picture() -> None:
    assert delay_distribution(DAY, BUSY, BUSY) == PICTURES["delays of a busy day"]


def test_departures_and_arrivals_have_a_colour_each_and_the_line_of_delay_its_own() -> None:
    def colours(departures: dict[int, int], arrivals: dict[int, int]) -> list[bool]:
        png = delay_distribution(DAY, departures, arrivals)
        # A label has some pixels of its colour, bars have many.
        return [amount(png, colour) > 400 for colour in (BLUE, ORANGE)] + [amount(png, RED) > 40]

    assert colours(BUSY, {}) == [True, False, True]
    assert colours({}, BUSY) == [False, True, True]
    assert colours({}, {}) == [False, False, True]


def test_the_outer_bins_are_in_the_picture() -> None:
    for start in (BINS[0], BINS[-1]):
        assert amount(delay_distribution(DAY, {start: 5}, {}), BLUE) > 400


def test_a_day_without_flights_has_no_bar() -> None:
    days = days_up_to(DAY)
    all_days, half = (
        amount(last_30_days(DAY, dict.fromkeys(some, 100), {}), SKY) for some in (days, days[::2])
    )

    assert 0.45 < half / all_days < 0.55
    assert amount(PICTURES["30 days without any"], SKY) == 0


def test_without_a_mean_there_is_no_line() -> None:
    assert amount(PICTURES["30 days on which all was cancelled"], RED) == 0
    assert amount(PICTURES["30 days"], RED) > 100


def test_the_30_days_end_with_the_day_and_pass_the_ends_of_months() -> None:
    days = days_up_to(DAY)

    assert (len(days), days[0], days[-1]) == (30, "2013-02-01", DAY)
    assert "2013-02-28" in days


def test_beyond_8_reasons_the_rest_is_gathered() -> None:
    found = gathered(REASONS)

    assert list(found) == [*list(REASONS)[:8], OTHERS]
    assert sum(found.values()) == sum(REASONS.values())
    assert gathered(dict(list(REASONS.items())[:8])) == dict(list(REASONS.items())[:8])
    assert amount(PICTURES["12 reasons"], GREY) > 400 > amount(PICTURES["one reason"], GREY)


def test_reasons_are_ordered_by_how_many_rows_they_have() -> None:
    assert list(gathered({"few": 1, "b": 5, "a": 5, "many": 9})) == ["many", "a", "b", "few"]


def test_markdown_holds_the_picture_and_its_alt_cannot_end_early() -> None:
    text = as_markdown(PICTURES["no reason"], "Rejected [rows]\nof a day").value

    assert text.startswith("![Rejected (rows) of a day](data:image/png;base64,iVBOR")
    assert text.endswith(")")
