"""The figures on top of a report, which are in the metadata of its day, too."""

from dataclasses import dataclass

from airline_platform.contract.table import Column
from assets.marts.thresholds import DELAYED_MINUTES
from assets.report.location import REPORTED


@dataclass(frozen=True)
class Figure:
    """One number of a day.

    Args:
        column: What it says, with its unit.
        made_of: Columns of the reported feed's table that it is made of; none where it counts rows.
    """

    column: Column
    made_of: tuple[str, ...] = ()


FIGURES = (
    Figure(Column("flights", "bigint", "Scheduled flights, the cancelled ones among them.")),
    Figure(Column("cancelled", "bigint", "Flights that did not fly."), ("dep_delay", "arr_delay")),
    Figure(
        Column("diverted", "bigint", "Flights that departed and did not arrive where they were to."),
        ("dep_delay", "arr_delay"),
    ),
    Figure(
        Column("delayed_flights", "bigint", f"Flights that arrived {DELAYED_MINUTES} minutes or more late."),
        ("arr_delay",),
    ),
    Figure(
        Column("delayed_percent", "decimal", "Delayed flights in percent of the scheduled ones, 0 to 100."),
        ("arr_delay",),
    ),
    Figure(
        Column("mean_dep_delay", "decimal", "Mean departure delay in minutes, early is negative."),
        ("dep_delay",),
    ),
    Figure(
        Column("mean_arr_delay", "decimal", "Mean arrival delay in minutes, early is negative."),
        ("arr_delay",),
    ),
    Figure(Column("rows_rejected", "bigint", "Rows of the day's loaded files that could not be used.")),
)

SOURCES = {
    figure.column.name: [(REPORTED.table.name, column) for column in figure.made_of]
    for figure in FIGURES
    if figure.made_of
}
"""Pairs of an asset and its column, by the figure that is made of them."""
