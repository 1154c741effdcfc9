"""A day's delay report as one HTML file: figures, plots and tables, with nothing to fetch from elsewhere."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

from assets.alerts.messages import run_link
from assets.marts.thresholds import DELAYED_MINUTES
from assets.report import pictures
from assets.report.delays import LEAST_FLIGHTS, WORST, Day

if TYPE_CHECKING:
    from jinja2 import Template

CONTENT_TYPE = "text/html; charset=utf-8"

MOST_FILES = 100
"""Files a report lists."""

MOST_REASONS = 50
"""Kinds of reasons a report lists."""


@dataclass(frozen=True)
class Picture:
    """A plot, and what it shows in words."""

    png: bytes
    alt: str

    @property
    def uri(self) -> str:
        """The picture as a link that holds it."""
        return pictures.data_uri(self.png)


def pictures_of(it: Day) -> dict[str, Picture]:
    """The plots of a day: `delays`, `last_30_days` and `rejects`."""
    flights = {day: int(row["flights"]) for day, row in it.history.items()}
    known = {day: row["mean_dep_delay"] for day, row in it.history.items()}
    means = {day: float(mean) for day, mean in known.items() if mean is not None}
    departed, arrived = sum(it.departures.values()), sum(it.arrivals.values())
    top = next(iter(pictures.gathered(it.reasons)), "none")
    return {
        "delays": Picture(
            pictures.delay_distribution(it.day, it.departures, it.arrivals),
            f"How late {departed:,} flights departed and {arrived:,} arrived on {it.day}, "
            f"in bins of {pictures.BIN_MINUTES} minutes.",
        ),
        "last_30_days": Picture(
            pictures.last_30_days(it.day, flights, means),
            f"Flights and mean departure delay of the {pictures.DAYS} days up to {it.day}; "
            f"{len(flights)} of them have flights.",
        ),
        "rejects": Picture(
            pictures.rejected_reasons(it.day, it.reasons),
            f"Rejected rows of {it.day}: {it.rows_rejected:,}. The most frequent reason: {top}.",
        ),
    }


def page(it: Day, plots: Mapping[str, Picture], *, run_id: str, made_at: datetime) -> str:
    """The report of a day as HTML.

    Args:
        it: The day.
        plots: As `pictures_of` gives them.
        run_id: Of the Dagster run that makes it.
        made_at: When, in UTC.
    """
    ordered = sorted(it.reasons.items(), key=lambda item: (-item[1], item[0]))
    return _template().render(
        it=it,
        headline=_headline(it),
        pictures=plots.values(),
        width=pictures.WIDTH,
        height=pictures.HEIGHT,
        worst=WORST,
        least=LEAST_FLIGHTS,
        delayed=DELAYED_MINUTES,
        reasons=ordered[:MOST_REASONS],
        counted=sum(it.reasons.values()),
        files=it.files[:MOST_FILES],
        more_files=len(it.files[MOST_FILES:]),
        run_id=run_id,
        run_link=run_link(run_id),
        made_at=made_at,
    )


def template_text() -> str:
    """Return the page's template, in Jinja's language."""
    return (resources.files("assets.report") / "templates" / "delay_report.html").read_text("utf-8")


def _headline(it: Day) -> list[tuple[str, str]]:
    """The figures on top, and what they are called."""
    if not it.figures:
        return []
    counts = [("Flights", "flights"), ("Cancelled", "cancelled"), ("Diverted", "diverted")]
    means = [("Mean departure delay", "mean_dep_delay"), ("Mean arrival delay", "mean_arr_delay")]
    return [
        *((label, f"{it.figures[name]:,}") for label, name in counts),
        ("Delayed", f"{it.figures['delayed_flights']:,} ({it.delayed_percent:.1f} %)"),
        *((label, _minutes(it.figures[name])) for label, name in means),
        ("Rejected rows", f"{it.rows_rejected:,}"),
    ]


def _minutes(value: float | None) -> str:
    return "none flew" if value is None else f"{value:.1f} min"


@cache
def _template() -> "Template":
    """The page's template; what is put into it is escaped."""
    from jinja2 import Environment, StrictUndefined  # noqa: PLC0415 - only reports need it

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    return environment.from_string(template_text())
