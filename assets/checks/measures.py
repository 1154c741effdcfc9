"""What checks judge, asked of the warehouse inside the load: one query for all days, by the check's name."""

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from airline_platform.contract.feed import Feed
from airline_platform.contract.table import SOURCE_FILE
from airline_platform.feeds.airports import AIRPORTS
from airline_platform.feeds.bookings import BOOKINGS
from airline_platform.feeds.flights import FLIGHTS
from assets.checks import rules
from assets.marts.declarations import CARRIER_DAILY_DELAYS, DELAYED_MINUTES, Mart
from assets.marts.replacement import bound
from resources.warehouse import ledger
from resources.warehouse.session import Session

Measures = dict[str, dict[str, tuple[Any, ...]]]
"""By the check's name and the day, what the check's rule judges."""

COUNTS_OF_DAYS = """
SELECT {partition} AS day, COUNT(*) AS all_rows{counts} FROM {table}
WHERE {partition} IN %(days)s GROUP BY {partition}
"""

COUNTS_OF_STAGED = """
SELECT {source_file}, {partition} AS day, COUNT(*) AS all_rows{counts} FROM {staging}
GROUP BY {source_file}, {partition}
"""

LOADED_KINDS = {FLIGHTS.name: {rules.MISSING_DELAYS.name: "dep_delay IS NULL"}}
"""By feed and check, which rows are of the kind that may be a share only."""

AIRPORTS_THERE = f"""
SELECT COUNT(*) AS airports, COUNT(DISTINCT airport_id) AS ids FROM {AIRPORTS.table.qualified_name}
"""  # noqa: S608 - our own table's name

FLIGHT_SUMS = f"""
SELECT
    flight_date AS day,
    COUNT(*) AS flights,
    COUNT(*) - COUNT(COALESCE(dep_delay, arr_delay)) AS cancelled,
    COUNT(dep_delay) - COUNT(dep_delay + arr_delay) AS diverted,
    SUM(CASE WHEN dep_delay >= {DELAYED_MINUTES} THEN 1 ELSE 0 END) AS delayed_departures,
    SUM(CASE WHEN arr_delay >= {DELAYED_MINUTES} THEN 1 ELSE 0 END) AS delayed_arrivals,
    SUM(dep_delay) AS dep_minutes,
    SUM(arr_delay) AS arr_minutes,
    SUM(CASE WHEN dep_delay >= %(minutes)s THEN 1 ELSE 0 END) AS long_delays,
    SUM(CASE WHEN dep_delay >= %(minutes)s THEN dep_delay ELSE 0 END) AS long_minutes
FROM {FLIGHTS.table.qualified_name}
WHERE flight_date IN %(days)s
GROUP BY flight_date
"""  # noqa: S608

BOOKING_SUMS = f"""
SELECT day, currency, SUM(rows_said) AS bookings, SUM(fares_said) AS fares
FROM (
    SELECT file_date AS day, currency, COUNT(*) AS rows_said, SUM(fare_amount) AS fares_said
    FROM {BOOKINGS.table.qualified_name}
    WHERE file_date IN %(days)s
    GROUP BY file_date, currency
    UNION ALL
    SELECT
        older.file_date AS day,
        older.currency,
        -COUNT(*) AS rows_said,
        -SUM(older.fare_amount) AS fares_said
    FROM {BOOKINGS.table.qualified_name} AS older
    WHERE older.file_date IN (
        SELECT file_date FROM {BOOKINGS.table.qualified_name} WHERE file_date IN %(days)s
        GROUP BY file_date HAVING MIN(source_file) <> MAX(source_file)
    ) AND EXISTS (
        SELECT 1 FROM {BOOKINGS.table.qualified_name} AS newer
        WHERE newer.file_date = older.file_date AND newer.booking_id = older.booking_id
        AND (
            newer.landed_at > older.landed_at
            OR (newer.landed_at = older.landed_at AND newer.source_file > older.source_file)
        )
    )
    GROUP BY older.file_date, older.currency
) AS said
GROUP BY day, currency
HAVING SUM(rows_said) > 0
"""  # noqa: S608
"""All that files said, less what a newer file of the day says anew; a day of one file has no such rows."""

CARRIER_SUMS = f"""
SELECT
    COUNT(DISTINCT carrier) AS carriers,
    SUM(flights) AS flights,
    SUM(cancelled) AS cancelled,
    SUM(diverted) AS diverted,
    SUM(flights) - SUM(cancelled) - SUM(diverted) - SUM(delayed_flights) AS on_time
FROM {CARRIER_DAILY_DELAYS.table.qualified_name}
"""  # noqa: S608

SUMS_OF_MART = "SELECT {sums} FROM {table}"
SUMS_OF_MARTS_DAYS = """
SELECT {partition} AS day{each}, {sums} FROM {table}
WHERE {partition} IN %(days)s GROUP BY {partition}{each}
"""


@dataclass(frozen=True)
class Sums:
    """What the rows of a mart and those of its source add up to alike.

    Args:
        of_source: The query of the source; it has a column `day` where the mart has days.
        alike: By a name for people, the sum over the mart's rows, and the query's column it has to equal.
        of_each: A column of both by which the sums are taken apart, besides the day.
    """

    of_source: str
    alike: Mapping[str, tuple[str, str]]
    of_each: str = ""


_DELAYS = {
    "flights": ("SUM(flights)", "flights"),
    "cancelled": ("SUM(cancelled)", "cancelled"),
    "diverted": ("SUM(diverted)", "diverted"),
    "delayed_departures": ("SUM(delayed_departures)", "delayed_departures"),
    "delayed_flights": ("SUM(delayed_flights)", "delayed_arrivals"),
    "total_dep_delay": ("SUM(total_dep_delay)", "dep_minutes"),
    "total_arr_delay": ("SUM(total_arr_delay)", "arr_minutes"),
}
SUMS: Mapping[str, Sums] = {
    "carrier_daily_delays": Sums(FLIGHT_SUMS, _DELAYS),
    "route_daily_delays": Sums(FLIGHT_SUMS, _DELAYS),
    "airport_daily_delays": Sums(
        FLIGHT_SUMS,
        {
            "departures": ("SUM(departures)", "flights"),
            "arrivals": ("SUM(arrivals)", "flights"),
            "cancelled_departures": ("SUM(cancelled_departures)", "cancelled"),
            "cancelled_arrivals": ("SUM(cancelled_arrivals)", "cancelled"),
            "diverted_arrivals": ("SUM(diverted_arrivals)", "diverted"),
            "delayed_departures": ("SUM(delayed_departures)", "delayed_departures"),
            "delayed_arrivals": ("SUM(delayed_arrivals)", "delayed_arrivals"),
        },
    ),
    "long_delays": Sums(
        FLIGHT_SUMS, {"flights": ("COUNT(*)", "long_delays"), "minutes": ("SUM(dep_delay)", "long_minutes")}
    ),
    "bookings_daily": Sums(
        BOOKING_SUMS,
        {"bookings": ("SUM(bookings)", "bookings"), "fares": ("SUM(fare_amount)", "fares")},
        of_each="currency",
    ),
    "carrier_on_time": Sums(
        CARRIER_SUMS,
        {
            "carriers": ("COUNT(*)", "carriers"),
            "flights": ("SUM(flights)", "flights"),
            "cancelled": ("SUM(cancelled)", "cancelled"),
            "diverted": ("SUM(diverted)", "diverted"),
            "on_time_flights": ("SUM(on_time_flights)", "on_time"),
        },
    ),
}
"""By mart. The sources' queries are not the marts' own: for a wrong sum to pass, both have to be wrong."""


@dataclass(frozen=True)
class Staged:
    """What is counted of the rows in a staging table, in one pass over it.

    Args:
        files: Rows by the landed file they came from.
        days: `all_rows`, rows of the kinds that checks judge, and `unknown_airports`, by day.
    """

    files: Mapping[str, int]
    days: Mapping[str, Mapping[str, int]]


def count_staged(session: Session, feed: Feed, staging: str, days: Iterable[str]) -> Staged:
    """Count the rows that wait in a staging table to replace their days.

    Args:
        session: The transaction.
        feed: Whose rows they are.
        staging: The table.
        days: ISO days; one may have no rows.
    """
    kinds = {rules.UNKNOWN_AIRPORTS.name: unknown_airports(feed)}
    asked = COUNTS_OF_STAGED.format(
        source_file=SOURCE_FILE.name,
        partition=feed.table.partition_column,
        counts=_counted(kinds),
        staging=staging,
    )
    files: Counter[str] = Counter()
    by_day = {day: dict.fromkeys(("all_rows", *kinds), 0) for day in days}
    for row in session.execute(asked):
        files[row[SOURCE_FILE.name]] += row["all_rows"]
        of_day = by_day.get(str(row["day"]), {})
        of_day.update({name: counted + row[name] for name, counted in of_day.items()})
    return Staged(dict(files), by_day)


def of_loaded(
    session: Session,
    feed: Feed,
    rows: Mapping[str, Mapping[str, int]],
    copies: Mapping[str, int],
    keys: Collection[str],
) -> Measures:
    """Measures of days whose rows are in the table, and whose files are not yet in the ledger.

    Args:
        session: The transaction.
        feed: Whose table it is.
        rows: `rows_read`, `rows_loaded` and `rows_rejected`, by day.
        copies: Rows that are copies of another one of their day, and should not be, by day.
        keys: The files of these days.
    """
    kinds = {rules.UNKNOWN_AIRPORTS.name: unknown_airports(feed), **LOADED_KINDS.get(feed.name, {})}
    counts = _counts(session, feed, feed.table.qualified_name, tuple(rows), kinds)
    standing = standing_rows(session, feed, tuple(rows), keys)
    there = {day: of_day["all_rows"] for day, of_day in counts.items()}
    return {
        rules.ROWS_ACCOUNTED.name: accounts(rows, there, standing),
        rules.ROW_COUNT.name: row_counts(rows, standing),
        rules.DUPLICATES.name: {day: (copies.get(day, 0), there[day]) for day in rows},
        **shares(kinds, counts),
    }


def unknown_airports(feed: Feed) -> str:
    """The condition of rows of which an airport is unknown: all that comes from the airports is empty."""
    sides = (" AND ".join(f"{mine} IS NULL" for mine, _ in lookup.filled) for lookup in feed.lookups)
    return " OR ".join(f"({side})" for side in sides)


def accounts(
    rows: Mapping[str, Mapping[str, int]], there: Mapping[str, int], standing: Mapping[str, int]
) -> dict[str, tuple[dict[str, int], dict[str, int]]]:
    """Figures of days that have to be alike: what was found, and what is expected.

    Args:
        rows: `rows_read`, `rows_loaded` and `rows_rejected`, by day.
        there: Rows of the table, by day.
        standing: Rows of the days' other files, as the ledger has them.
    """
    return {
        day: (
            {"loaded or rejected": of["rows_loaded"] + of["rows_rejected"], "in the table": there[day]},
            {"loaded or rejected": of["rows_read"], "in the table": of["rows_loaded"] + standing.get(day, 0)},
        )
        for day, of in rows.items()
    }


def row_counts(
    rows: Mapping[str, Mapping[str, int]], standing: Mapping[str, int]
) -> dict[str, tuple[int, tuple[float, float] | None]]:
    """Rows of days, and the bounds that the same weekday gives in the weeks before, if enough of it is there.

    Args:
        rows: `rows_loaded` by day.
        standing: Rows of the days before, as the ledger has them.
    """
    loaded = {day: of_day["rows_loaded"] for day, of_day in rows.items()}
    known = {**standing, **loaded}
    return {
        day: (loaded[day], _bounds([known[e] for e in weekday_before(day) if e in known])) for day in rows
    }


def _bounds(before: Sequence[int]) -> tuple[float, float] | None:
    if len(before) < rules.WEEKS_NEEDED:
        return None
    return rules.LEAST_OF_FEWEST * min(before), rules.MOST_OF_MOST * max(before)


def weekday_before(day: str) -> list[str]:
    """The same weekday in the weeks before a day, the nearest first; ISO."""
    it = date.fromisoformat(day)
    return [str(it - timedelta(weeks=weeks)) for weeks in range(1, rules.WEEKS_BEFORE + 1)]


def standing_rows(session: Session, feed: Feed, days: Sequence[str], keys: Collection[str]) -> dict[str, int]:
    """Rows the ledger says there are, by day, of other files than these: of days, and of those before.

    Args:
        session: The transaction.
        feed: Whose files they are.
        days: ISO days; the same weekdays of the weeks before come with them.
        keys: Files that do not count.
    """
    asked = sorted({*days, *(before for day in days for before in weekday_before(day))})
    rows: Counter[str] = Counter()
    for file in ledger.loaded_files(session, feed.name, asked):
        if file.key not in keys:
            rows[file.day or ""] += file.rows_loaded or 0
    return dict(rows)


def shares(kinds: Mapping[str, str], counts: Mapping[str, Mapping[str, int]]) -> Measures:
    """Rows of each kind among all rows, by the check's name and day."""
    return {
        name: {day: (of_day[name], of_day["all_rows"]) for day, of_day in counts.items()} for name in kinds
    }


def _counts(
    session: Session, feed: Feed, table: str, days: Sequence[str], kinds: Mapping[str, str]
) -> dict[str, dict[str, int]]:
    asked = COUNTS_OF_DAYS.format(partition=feed.table.partition_column, counts=_counted(kinds), table=table)
    found = {str(row["day"]): row for row in session.execute(asked, {"days": tuple(days)})}
    return {
        day: {name: int(found[day][name]) if day in found else 0 for name in ("all_rows", *kinds)}
        for day in days
    }


def _counted(kinds: Mapping[str, str]) -> str:
    """Columns that count the rows of each kind, to follow on another one."""
    return "".join(f", COUNT(CASE WHEN {which} THEN 1 END) AS {name}" for name, which in kinds.items())


def of_airports(session: Session, before: int) -> Measures:
    """Measures of the airports, of which there were so many before."""
    (there,) = session.execute(AIRPORTS_THERE)
    least = before * rules.AIRPORTS_KEPT_PERCENT / 100
    return {
        rules.KEYS_UNIQUE.name: {"": ({"different ids": there["ids"]}, {"different ids": there["airports"]})},
        rules.AIRPORT_COUNT.name: {"": (there["airports"], (least, math.inf) if before else None)},
    }


def of_mart(session: Session, mart: Mart, days: Sequence[str] = ()) -> Measures:
    """What a mart's rows of days add up to, and what its source's do; of all rows where the mart has no days.

    Args:
        session: The transaction that has made the mart anew.
        mart: Which one.
        days: ISO days.
    """
    sums = SUMS[mart.table.name]
    mine = {name: name for name in sums.alike}
    theirs = {name: column for name, (_, column) in sums.alike.items()}
    values = bound(days)
    found = _by_day(session.execute(sums_of_mart(mart), values), mine, sums.of_each)
    expected = _by_day(session.execute(sums.of_source, values), theirs, sums.of_each)
    return {rules.SUMS_MATCH.name: {day: (found.get(day, {}), expected.get(day, {})) for day in days or [""]}}


def sums_of_mart(mart: Mart) -> str:
    """The query of what a mart's rows add up to."""
    sums, table = SUMS[mart.table.name], mart.table
    added = ", ".join(f"{added} AS {name}" for name, (added, _) in sums.alike.items())
    if not table.partition_column:
        return SUMS_OF_MART.format(sums=added, table=table.qualified_name)
    return SUMS_OF_MARTS_DAYS.format(
        sums=added,
        table=table.qualified_name,
        partition=table.partition_column,
        each=f", {sums.of_each}" if sums.of_each else "",
    )


def _by_day(
    rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str], of_each: str
) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        each = f" {row[of_each]}" if of_each else ""
        of_day = found.setdefault(str(row.get("day", "")), {})
        of_day |= {f"{name}{each}": row[column] or 0 for name, column in columns.items()}
    return found
