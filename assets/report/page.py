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


def pictures_of(day: Day) -> dict[str, Picture]:
    """Draw the plots of a day: `delays`, `last_30_days` and `rejects`."""
    flights = {each: int(row["flights"]) for each, row in day.history.items()}
    known = {each: row["mean_dep_delay"] for each, row in day.history.items()}
    means = {each: float(mean) for each, mean in known.items() if mean is not None}
    departed, arrived = sum(day.departures.values()), sum(day.arrivals.values())
    top = next(iter(pictures.gathered(day.reasons)), "none")
    return {
        "delays": Picture(
            pictures.delay_distribution(day.day, day.departures, day.arrivals),
            f"How late {departed:,} flights departed and {arrived:,} arrived on {day.day}, "
            f"in bins of {pictures.BIN_MINUTES} minutes.",
        ),
        "last_30_days": Picture(
            pictures.last_30_days(day.day, flights, means),
            f"Flights and mean departure delay of the {pictures.DAYS} days up to {day.day}; "
            f"{len(flights)} of them have flights.",
        ),
        "rejects": Picture(
            pictures.rejected_reasons(day.day, day.reasons),
            f"Rejected rows of {day.day}: {day.rows_rejected:,}. The most frequent reason: {top}.",
        ),
    }


def page(day: Day, plots: Mapping[str, Picture], *, run_id: str, made_at: datetime) -> str:
    """Return the report of a day as HTML.

    Args:
        day: What there is to tell of it.
        plots: As `pictures_of` gives them.
        run_id: The Dagster run that makes the page.
        made_at: When, in UTC.
    """
    ordered = sorted(day.reasons.items(), key=lambda item: (-item[1], item[0]))
    return _template().render(
        day=day,
        headline=_headline(day),
        pictures=plots.values(),
        width=pictures.WIDTH,
        height=pictures.HEIGHT,
        worst=WORST,
        least=LEAST_FLIGHTS,
        delayed=DELAYED_MINUTES,
        reasons=ordered[:MOST_REASONS],
        counted=sum(day.reasons.values()),
        files=day.files[:MOST_FILES],
        more_files=len(day.files[MOST_FILES:]),
        run_id=run_id,
        run_link=run_link(run_id),
        made_at=made_at,
    )


def template_text() -> str:
    """Return the page's template, in Jinja's language."""
    return (resources.files("assets.report") / "templates" / "delay_report.html").read_text("utf-8")


def _headline(day: Day) -> list[tuple[str, str]]:
    """The figures on top, and what they are called."""
    if not day.figures:
        return []
    counts = [("Flights", "flights"), ("Cancelled", "cancelled"), ("Diverted", "diverted")]
    means = [("Mean departure delay", "mean_dep_delay"), ("Mean arrival delay", "mean_arr_delay")]
    return [
        *((label, f"{day.figures[name]:,}") for label, name in counts),
        ("Delayed", f"{day.figures['delayed_flights']:,} ({day.delayed_percent:.1f} %)"),
        *((label, _minutes(day.figures[name])) for label, name in means),
        ("Rejected rows", f"{day.rows_rejected:,}"),
    ]


def _minutes(value: float | None) -> str:
    return "none flew" if value is None else f"{value:.1f} min"


@cache
def _template() -> "Template":
    """The page's template; what is put into it is escaped."""
    from jinja2 import Environment, StrictUndefined  # noqa: PLC0415 - only reports need it

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    return environment.from_string(template_text())
