"""The checks of a feed: what is asked of every feed's rows, by the feed's limits, and what it declares."""

from airline_platform.contract.check import Between, Check, Equal, Limits, Share
from airline_platform.contract.feed import Feed
from airline_platform.contract.sink import Dimension, FactTable, LakeTable, Lookup
from airline_platform.feeds import FEEDS

ROWS_ACCOUNTED = Check(
    "rows_accounted",
    "Rows read are rows loaded plus rows rejected, and the day's rows are as many as the ledger says.",
    Equal(),
    "Run the day again from its raw files on (`airline backfill`); if it stays, it is a defect: report it.",
    blocking=True,
)
ROW_COUNT, DUPLICATES, KEYS_UNIQUE, UNKNOWN = "row_count", "duplicates", "keys_unique", "unknown_"
"""Names of the checks that differ from feed to feed; the last one begins a name, the dimension's ends it."""


def checks_of(feed: Feed) -> tuple[Check, ...]:
    """Return the checks of a feed, in the order in which they are shown."""
    match feed.becomes:
        case FactTable():
            unknown = _unknown(feed)
            return ROWS_ACCOUNTED, row_count(feed.limits), *unknown, *feed.checks, duplicates(feed)
        case Dimension():
            return keys_unique(feed), rows_kept(feed)
        case LakeTable():
            return ROWS_ACCOUNTED, row_count(feed.limits)


def row_count(limits: Limits) -> Check:
    """A day has about as many rows as the same weekday had."""
    return Check(
        ROW_COUNT,
        (
            f"The day's rows are between {limits.least_of_fewest} times the fewest and {limits.most_of_most} "
            f"times the most of the same weekday in the {limits.weeks} weeks before, of which "
            f"{limits.weeks_needed} have to be there."
        ),
        Between(f"by the same weekday in the {limits.weeks} weeks before"),
        "Look whether the day's files are complete and there once; land what is missing or mended.",
    )


def duplicates(feed: Feed) -> Check:
    """Few rows of a day are copies of each other."""
    apart = feed.becomes.told_apart_by if isinstance(feed.becomes, FactTable) else ""
    alike = f"; rows without {apart} are alike by nature and are not counted" if apart else ""
    return Check(
        DUPLICATES,
        f"At most {feed.limits.copies:.0%} of the day's rows are copies of another one{alike}.",
        Share("are copies of another one", feed.limits.copies),
        "Look whether the same rows landed twice, in one file or under two names, and remove one of the two.",
    )


def _unknown(feed: Feed) -> list[Check]:
    return [unknown(feed, FEEDS[dimension]) for dimension in feed.dimensions]


def unknown(feed: Feed, dimension: Feed) -> Check:
    """Few rows of a day look up what a dimension does not have."""
    share, nouns = feed.limits.unknown, dimension.noun
    return Check(
        f"{UNKNOWN}{dimension.name}",
        f"At most {share:.0%} of the day's rows look up {nouns} that {dimension.table.name} lacks.",
        Share(f"look up unknown {nouns}", share),
        f"Land newer {nouns}: they fill in what is empty by themselves. Or mend the file.",
        where=lacking([lookup for lookup in feed.lookups if lookup.dimension == dimension.name]),
    )


def lacking(lookups: list[Lookup]) -> str:
    """The condition of rows of which a lookup has found nothing: all that it fills in is empty."""
    sides = (" AND ".join(f"{mine} IS NULL" for mine, _ in lookup.filled) for lookup in lookups)
    return " OR ".join(f"({side})" for side in sides)


def keys_unique(feed: Feed) -> Check:
    """A dimension has each key once."""
    return Check(
        KEYS_UNIQUE,
        f"{feed.table.description.removesuffix('.')}: each key is there once.",
        Equal(),
        f"Materialize {feed.raw_asset} and what follows again; if it stays, it is a defect: report it.",
        blocking=True,
    )


def rows_kept(feed: Feed) -> Check:
    """A dimension does not lose many rows by a load."""
    return Check(
        ROW_COUNT,
        f"At least {feed.limits.kept:.0%} of the {feed.noun} that were there before are there.",
        Between(f"{feed.limits.kept:.0%} of what was there before"),
        f"Look whether the newest file of {feed.noun} is complete, and land it again.",
    )
