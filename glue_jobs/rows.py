"""Judged rows of a feed become rows of its table, as the declaration says."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib import import_module

from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812 - PySpark's own convention

from airline_platform.contract.feed import Feed, Rule
from airline_platform.contract.sink import Lookup
from glue_jobs.landing import PROVENANCE, REASON, selected
from glue_jobs.people import with_key_of

Transform = Callable[[DataFrame], DataFrame]


def transform_of(feed: Feed, dimensions: Mapping[str, DataFrame], secret: str = "") -> Transform:
    """What makes rows of a feed's table of its judged rows.

    Args:
        feed: Declares rules, names, lookups and hashes.
        dimensions: By the feed's name, what lookups look up: the dimension's columns, a row for each key.
        secret: Key of the hashes of people; for feeds that have some.

    Returns:
        A function. It takes the feed's columns, typed, with partition_date, landed_at and
        `landing.PROVENANCE`, and gives the columns of the job's table, then `landing.PROVENANCE`; as many
        rows as came in, unless the feed's own transform makes others.
    """
    return partial(_transformed, feed=feed, dimensions=dimensions, secret=secret)


def own_transform(name: str) -> Transform:
    """The function of a module in `glue_jobs/transforms`; without a name, one that changes nothing."""
    if not name:
        return lambda rows: rows
    transform: Transform = import_module(f"glue_jobs.transforms.{name}").transform
    return transform


def _transformed(rows: DataFrame, feed: Feed, dimensions: Mapping[str, DataFrame], secret: str) -> DataFrame:
    rows = judged_by_rules(rows, feed.rules)
    for column in feed.job_table.columns:
        if column.hash_of:
            rows = with_key_of(rows, column.name, F.lower(column.hash_of), secret)
    if not feed.typed:  # else its second job has the transform
        rows = own_transform(feed.transform)(rows)
    looked_up = {mine for lookup in feed.lookups for mine, _ in lookup.filled}
    taken_from = dict(feed.sources)
    names = [name for name in feed.job_table.column_names if name not in looked_up and name not in PROVENANCE]
    named = rows.select(*(F.col(taken_from.get(name, name)).alias(name) for name in names), *PROVENANCE)
    return look_up(named, feed.lookups, dimensions).select(selected(feed.job_table))


def judged_by_rules(rows: DataFrame, rules: Sequence[Rule]) -> DataFrame:
    """Give rows that break a rule its reason, unless they have one already."""
    if not rules:
        return rows
    broken = (F.when(F.expr(rule.wrong), F.lit(rule.reason)) for rule in rules)
    return rows.withColumn(REASON, F.coalesce(REASON, *broken))


def look_up(rows: DataFrame, lookups: Sequence[Lookup], dimensions: Mapping[str, DataFrame]) -> DataFrame:
    """Add the columns of lookups; they stay empty where the key is unknown.

    Args:
        rows: With every lookup's key column.
        lookups: As declared.
        dimensions: By the feed's name; the first column is the key, of which a doubled one counts once.

    Returns:
        As many rows as came in.
    """
    for lookup in lookups:
        dimension = dimensions[lookup.dimension]
        key = dimension.columns[0]
        # In one partition, dropping doubles needs no shuffle.
        unique = dimension.coalesce(1).dropDuplicates([key])
        matches = unique.select(
            F.col(key).alias("_key"), *(F.col(its).alias(mine) for mine, its in lookup.filled)
        )
        rows = rows.join(F.broadcast(matches), F.col(lookup.key) == F.col("_key"), "left").drop("_key")
    return rows
