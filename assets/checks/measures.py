"""What checks judge, asked of the warehouse inside the load: one query for all days, by the check's name."""

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from airline_platform.contract.check import Limits
from airline_platform.contract.feed import Feed
from airline_platform.contract.table import SOURCE_FILE
from assets.checks.of_feeds import DUPLICATES, KEYS_UNIQUE, ROW_COUNT, ROWS_ACCOUNTED, UNKNOWN, checks_of
from assets.checks.outcomes import Measures
from resources.warehouse import ledger
from resources.warehouse.session import Session

COUNTS_OF_DAYS = """
SELECT {partition} AS day, COUNT(*) AS all_rows{counts} FROM {table}
WHERE {partition} IN %(days)s GROUP BY {partition}
"""

COUNTS_OF_STAGED = """
SELECT {source_file}, {partition} AS day, COUNT(*) AS all_rows{counts} FROM {staging}
GROUP BY {source_file}, {partition}
"""

ROWS_OF_DIMENSION = "SELECT COUNT(*) AS all_rows, COUNT(DISTINCT {key}) AS keys FROM {table}"


@dataclass(frozen=True)
class Staged:
    """What is counted of the rows in a staging table, in one pass over it.

    Args:
        files: Rows by the landed file they came from.
        days: `all_rows`, and rows of which each lookup has found nothing, by the check's name and day.
    """

    files: Mapping[str, int]
    days: Mapping[str, Mapping[str, int]]

    @property
    def lacking(self) -> list[str]:
        """Days with rows that look up what a dimension did not have when the job ran."""
        return [day for day, of in self.days.items() if any(of[name] for name in of if name != "all_rows")]


def count_staged(session: Session, feed: Feed, staging: str, days: Iterable[str]) -> Staged:
    """Count the rows that wait in a staging table to replace their days.

    Args:
        session: The transaction.
        feed: Whose rows they are.
        staging: The table.
        days: ISO days; one may have no rows.
    """
    kinds = {name: where for name, where in kinds_of(feed).items() if name.startswith(UNKNOWN)}
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
    kinds = kinds_of(feed)
    counts = _counts(session, feed, feed.table.qualified_name, tuple(rows), kinds)
    standing = standing_rows(session, feed, tuple(rows), keys)
    there = {day: of_day["all_rows"] for day, of_day in counts.items()}
    return {
        ROWS_ACCOUNTED.name: accounts(rows, there, standing),
        ROW_COUNT: row_counts(feed.limits, rows, standing),
        DUPLICATES: {day: (copies.get(day, 0), there[day]) for day in rows},
        **shares(kinds, counts),
    }


def kinds_of(feed: Feed) -> dict[str, str]:
    """The condition of the rows that each check of a share counts, by the check's name."""
    return {check.name: check.where for check in checks_of(feed) if check.where}


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
    limits: Limits, rows: Mapping[str, Mapping[str, int]], standing: Mapping[str, int]
) -> dict[str, tuple[int, tuple[float, float] | None]]:
    """Rows of days, and the bounds that the same weekday gives in the weeks before, if enough of it is there.

    Args:
        limits: The feed's.
        rows: `rows_loaded` by day.
        standing: Rows of the days before, as the ledger has them.
    """
    loaded = {day: of_day["rows_loaded"] for day, of_day in rows.items()}
    known = {**standing, **loaded}
    before = {
        day: [known[each] for each in weekday_before(day, limits.weeks) if each in known] for day in rows
    }
    return {day: (loaded[day], _bounds(limits, before[day])) for day in rows}


def _bounds(limits: Limits, before: Sequence[int]) -> tuple[float, float] | None:
    if len(before) < limits.weeks_needed:
        return None
    return limits.least_of_fewest * min(before), limits.most_of_most * max(before)


def weekday_before(day: str, weeks: int) -> list[str]:
    """The same weekday in so many weeks before a day, the nearest first; ISO."""
    it = date.fromisoformat(day)
    return [str(it - timedelta(weeks=number)) for number in range(1, weeks + 1)]


def standing_rows(session: Session, feed: Feed, days: Sequence[str], keys: Collection[str]) -> dict[str, int]:
    """Rows the ledger says there are, by day, of other files than these: of days, and of those before.

    Args:
        session: The transaction.
        feed: Whose files they are.
        days: ISO days; the same weekdays of the weeks before come with them.
        keys: Files that do not count.
    """
    asked = sorted({*days, *(before for day in days for before in weekday_before(day, feed.limits.weeks))})
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
    by_day = {str(row["day"]): row for row in session.execute(asked, {"days": tuple(days)})}
    return {
        day: {name: int(by_day[day][name]) if day in by_day else 0 for name in ("all_rows", *kinds)}
        for day in days
    }


def _counted(kinds: Mapping[str, str]) -> str:
    """Columns that count the rows of each kind, to follow on another one."""
    return "".join(f", COUNT(CASE WHEN {which} THEN 1 END) AS {name}" for name, which in kinds.items())


def of_dimension(session: Session, feed: Feed, key: str, before: int) -> Measures:
    """Measures of a dimension's rows, of which there were so many before."""
    (there,) = session.execute(ROWS_OF_DIMENSION.format(key=key, table=feed.table.qualified_name))
    least = before * feed.limits.kept
    return {
        KEYS_UNIQUE: {"": ({"different keys": there["keys"]}, {"different keys": there["all_rows"]})},
        ROW_COUNT: {"": (there["all_rows"], (least, math.inf) if before else None)},
    }
