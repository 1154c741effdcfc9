"""Small plots for the UI, the report and whoever looks: figures in, PNG out.

matplotlib costs 0.7 s to import, which a run pays and the code location does not.
"""

import base64
import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from dagster import MetadataValue

from assets.marts.thresholds import DELAYED_MINUTES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH, HEIGHT = 480, 190
"""Of every picture, in pixels."""

FIRST_BIN, LAST_BIN, BIN_MINUTES = -60, 165, 15
"""Where the bins of delays begin, in minutes; the outer ones hold what is beyond them, too."""

BINS = range(FIRST_BIN, LAST_BIN + 1, BIN_MINUTES)
DAYS = 30
REASONS = 8
"""Most reasons that have a bar of their own."""

LONGEST_LABEL = 44
OTHERS, NOTHING = "others", "nothing to show"

BLUE, SKY, ORANGE, RED, GREY = "#0072B2", "#56B4E9", "#E69F00", "#D55E00", "#7F7F7F"
"""Of Okabe and Ito's palette, whose colours nobody confuses: https://jfly.uni-koeln.de/color/"""

_DPI = 100
_COLOURS = 48
_MARGINS = {"left": 0.1, "right": 0.97, "top": 0.87, "bottom": 0.22}


def delay_distribution(day: str, departures: Mapping[int, int], arrivals: Mapping[int, int]) -> bytes:
    """Draw how late the flights of a day departed and arrived.

    Args:
        day: ISO day.
        departures: Flights by the minute their bin begins at, one of `BINS`.
        arrivals: Likewise.
    """
    last, half = LAST_BIN + BIN_MINUTES, BIN_MINUTES / 2
    with _picture(f"Delays on {day}: flights by minutes") as picture:
        axes = picture.axes
        picture.bars({start: departures.get(start, 0) for start in BINS}, half, BLUE)
        picture.bars({start + half: arrivals.get(start, 0) for start in BINS}, half, ORANGE)
        axes.axvline(DELAYED_MINUTES, color=RED, linewidth=1.5, linestyle="--")
        for height, colour, label in ((0.94, BLUE, "departures"), (0.84, ORANGE, "arrivals")):
            picture.write(0.82, height, f"■ {label}", colour)
        picture.write(0.33, 0.94, f"delayed from {DELAYED_MINUTES} min on", RED)
        axes.set_xlim(FIRST_BIN, last)
        ends = {FIRST_BIN: f"≤{FIRST_BIN}", last: f"≥{last}"}
        ticks = range(FIRST_BIN, last + 1, 30)
        axes.set_xticks(ticks, [ends.get(tick, str(tick)) for tick in ticks])
        axes.set_xlabel("delay in minutes, early is negative")
        picture.scale(max([*departures.values(), *arrivals.values()], default=0))
    return picture.png


def last_30_days(day: str, flights: Mapping[str, int], mean_dep_delay: Mapping[str, float]) -> bytes:
    """Draw volume and delay of the days up to one; a day that is in neither stays empty.

    Args:
        day: ISO day, the last one of them.
        flights: Scheduled flights by ISO day.
        mean_dep_delay: Minutes by ISO day; a day on which nothing departed has none.
    """
    days = days_up_to(day)
    with _picture(f"Flights and mean departure delay: {DAYS} days to {day}", left=0.13, right=0.9) as picture:
        axes = picture.axes
        counts = {place - 0.4: flights.get(each, 0) for place, each in enumerate(days)}
        picture.bars(counts, 0.8, SKY)
        axes.set_xlim(-0.6, len(days) - 0.4)
        axes.set_xticks(range(1, len(days), 7), [each[5:] for each in days[1::7]])
        axes.set_ylabel("flights (bars)", color=BLUE)
        picture.scale(max(counts.values()))
        if any(each in mean_dep_delay for each in days):
            means = [mean_dep_delay.get(each, float("nan")) for each in days]
            right = picture.second_axis("minutes (line)", RED)
            right.plot(range(len(days)), means, color=RED, linewidth=1.4, marker="o", markersize=2.5)
    return picture.png


def rejected_reasons(day: str, rows: Mapping[str, int]) -> bytes:
    """Draw why rows of a day were rejected, the most frequent reason first.

    Args:
        day: ISO day.
        rows: Rejected rows by reason.
    """
    counts = gathered(rows)
    # A text each for the reason and its count would take a third longer to draw.
    labels = [f"{_shortened(reason)}  {count:,}" for reason, count in counts.items()]
    with _picture(f"Rejected rows of {day}, by reason", left=0.56, bottom=0.05) as picture:
        axes = picture.axes
        colours = [GREY if reason == OTHERS else BLUE for reason in counts]
        axes.barh(range(len(counts)), list(counts.values()), color=colours)
        axes.set_yticks(range(len(counts)), labels, parse_math=False)
        axes.set_xticks([])
        axes.set_xlim(0, max(counts.values(), default=1) * 1.05)
        # As many places as a few reasons need: one alone would be a block.
        axes.set_ylim(max(len(counts), 4) - 0.4, -0.6)
        if not counts:
            picture.write(0.5, 0.5, NOTHING, GREY)
    return picture.png


def gathered(rows: Mapping[str, int]) -> dict[str, int]:
    """Return the `REASONS` most frequent reasons, the first one first, then the `others` together."""
    ordered = sorted(rows.items(), key=lambda item: (-item[1], item[0]))
    most = dict(ordered[:REASONS])
    if rest := sum(count for _, count in ordered[REASONS:]):
        most[OTHERS] = rest
    return most


def days_up_to(day: str) -> list[str]:
    """Return the `DAYS` ISO days of which this is the last one."""
    last = date.fromisoformat(day)
    return [(last - timedelta(days=back)).isoformat() for back in reversed(range(DAYS))]


def data_uri(png: bytes) -> str:
    """Return a picture as a link that holds it."""
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def as_markdown(png: bytes, alt: str) -> MetadataValue[Any]:
    """Return a picture as metadata, which the UI shows inline.

    Args:
        png: The picture.
        alt: What it shows, for who does not see it.
    """
    plain = alt.translate(str.maketrans("[]\n", "() "))
    return MetadataValue.md(f"![{plain}]({data_uri(png)})")


class _Picture:
    """A figure with one pair of axes, and the PNG it becomes."""

    def __init__(self, figure: "Figure") -> None:
        self._figure = figure
        self.axes = self._plain(figure.add_subplot())
        self.png = b""

    def bars(self, heights: Mapping[float, float], width: float, colour: str) -> None:
        """Bars by where they begin, as one thing to draw: a thing each costs twice the time of a picture."""
        from matplotlib.collections import PolyCollection  # noqa: PLC0415 - see the top

        corners = [
            [(start, 0), (start, height), (start + width, height), (start + width, 0)]
            for start, height in heights.items()
            if height
        ]
        self.axes.add_collection(PolyCollection(corners, facecolor=colour), autolim=False)

    def scale(self, most: float) -> None:
        """Let the heights reach from 0 to a little above the most; say so where there is nothing."""
        self.axes.set_ylim(0, most * 1.1 or 1)
        if not most:
            self.axes.set_yticks([])
            self.write(0.42, 0.5, NOTHING, GREY)

    def write(self, right: float, up: float, text: str, colour: str) -> None:
        """Write from a place in the axes on, whose sides are 1."""
        self.axes.text(right, up, text, color=colour, va="center", transform=self.axes.transAxes)

    def second_axis(self, label: str, colour: str) -> "Axes":
        """Axes with the same days and a scale of their own, at the right."""
        right = self._plain(self.axes.twinx())
        right.set_ylabel(label, color=colour)
        return right

    def _plain(self, axes: "Axes") -> "Axes":
        axes.spines["top"].set_visible(False)
        axes.tick_params(length=2)
        return axes


@contextmanager
def _picture(title: str, **margins: float) -> Iterator[_Picture]:
    """An empty picture with a title; it is drawn when the block ends."""
    from matplotlib import rc_context  # noqa: PLC0415 - see the top
    from matplotlib.figure import Figure  # noqa: PLC0415

    with rc_context({"font.family": "DejaVu Sans", "font.size": 7.5}):
        figure = Figure(figsize=(WIDTH / _DPI, HEIGHT / _DPI), dpi=_DPI)
        # Fixed, because a layout engine draws everything twice.
        figure.subplots_adjust(**(_MARGINS | margins))
        figure.text(0.02, 0.93, title, fontsize=9)
        picture = _Picture(figure)
        yield picture
        picture.png = _png(figure)


def _png(figure: "Figure") -> bytes:
    """The figure as a PNG of few colours: a third of the size of one with all."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415
    from PIL import Image  # noqa: PLC0415

    canvas: Any = FigureCanvasAgg(figure)  # half of its methods have no types
    canvas.draw()
    drawn = Image.frombuffer("RGBA", canvas.get_width_height(), canvas.buffer_rgba()).convert("RGB")
    file = io.BytesIO()
    drawn.quantize(_COLOURS, method=Image.Quantize.FASTOCTREE).save(file, "PNG", optimize=True)
    return file.getvalue()


def _shortened(reason: str) -> str:
    text = " ".join(reason.split())
    return text if len(text) <= LONGEST_LABEL else f"{text[: LONGEST_LABEL - 1]}…"
