"""What must be true again after every fault, told by other means than the platform's own."""

import re
import shutil
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import psycopg2
import requests
from botocore.exceptions import BotoCoreError, ClientError
from chaos.laptop import POLL_SECONDS, ChaosLaptop

from airline_platform.contract.feed import Feed
from airline_platform.feeds.airports import AIRPORTS
from airline_platform.feeds.bookings import BOOKINGS
from airline_platform.feeds.flights import FLIGHTS
from airline_platform.feeds.shipments import SHIPMENTS
from airline_platform.files.keys import is_own
from resources.inbox import read_alerts

CONVERGE_SECONDS = 150.0

UNFINISHED = """
SELECT run_id, status, pipeline_name FROM runs
WHERE status IN ('NOT_STARTED', 'QUEUED', 'STARTING', 'STARTED', 'CANCELING')
"""
WAITING_FOR_RETRY = """
SELECT failed.run_id, 'FAILURE, to be retried' AS status, failed.pipeline_name
FROM runs AS failed JOIN run_tags AS tag USING (run_id)
WHERE failed.status = 'FAILURE' AND tag.key = 'dagster/will_retry' AND tag.value = 'true' AND NOT EXISTS (
  SELECT FROM run_tags AS retry WHERE retry.key = 'dagster/parent_run_id' AND retry.value = failed.run_id
)
"""
LEDGER = """
SELECT feed, partition_date, key, etag, state, rows_read, rows_loaded, rows_rejected
FROM airlines.ingested_files
"""
UNSENT = "SELECT alert_id, event, subject FROM airlines.alert_outbox WHERE sent_at IS NULL"
FACT = """
SELECT flight_date::text, carrier, origin_airport_id, dest_airport_id, dep_airport, arr_airport,
  dep_city, arr_city, dep_state, arr_state, dep_delay, arr_delay
FROM airlines.daily_flights_processed
"""
DIMENSION = "SELECT airport_id, city, state, name FROM airlines.dim_airport_codes"

EXPECTED_DIMENSION = """
SELECT airport_id::BIGINT, city, state, name FROM read_csv($airports, all_varchar = true, header = true)
"""
EXPECTED_FACT = """
WITH airports AS (
  SELECT airport_id::BIGINT AS id, city, state, name
  FROM read_csv($airports, all_varchar = true, header = true)
), flights AS (
  SELECT regexp_extract(filename, 'date=([0-9-]+)', 1) AS flight_date, Carrier AS carrier,
    OriginAirportID::BIGINT AS origin, DestAirportID::BIGINT AS destination,
    DepDelay::BIGINT AS dep_delay, ArrDelay::BIGINT AS arr_delay
  FROM read_csv($flights, all_varchar = true, header = true, filename = true, hive_partitioning = false)
)
SELECT flight_date, carrier, origin, destination, departure.name, arrival.name,
  departure.city, arrival.city, departure.state, arrival.state, dep_delay, arr_delay
FROM flights
LEFT JOIN airports AS departure ON departure.id = origin
LEFT JOIN airports AS arrival ON arrival.id = destination
"""

BOOKINGS_FACT = """
SELECT booking_id, file_date::text, booked_at::text, carrier, flight_number, origin_airport_id, dep_city,
  dest_airport_id, arr_city, flight_date::text, cabin, fare_amount, currency, status
FROM airlines.fact_bookings
"""
EXPECTED_BOOKINGS = """
WITH airports AS (
  SELECT airport_id::BIGINT AS id, city FROM read_csv($airports, all_varchar = true, header = true)
), newest AS (
  SELECT *, regexp_extract(filename, 'date=([0-9-]+)', 1) AS file_date, row_number() OVER (
    PARTITION BY booking_id ORDER BY file_date DESC
  ) AS place
  FROM read_csv($bookings, all_varchar = true, header = true, filename = true, hive_partitioning = false)
)
SELECT booking_id, file_date, booked_at, carrier, flight_number::BIGINT, origin_airport_id::BIGINT,
  departure.city, dest_airport_id::BIGINT, arrival.city, flight_date, cabin, fare_amount::DECIMAL(14, 3),
  currency, status
FROM newest
LEFT JOIN airports AS departure ON departure.id = origin_airport_id::BIGINT
LEFT JOIN airports AS arrival ON arrival.id = dest_airport_id::BIGINT
WHERE place = 1
"""

SHIPMENTS_FOUND = """
SELECT file_date::text, shipping_id, shipping_cost, shipping_distance, quantity, product_id
FROM read_parquet($files, hive_partitioning = false)
"""
EXPECTED_SHIPMENTS = """
WITH landed AS (
  SELECT *, regexp_extract(filename, 'date=([0-9-]+)', 1) AS file_date, row_number() OVER () AS place
  FROM read_json($files, filename = true, hive_partitioning = false, columns = {
    shipping_id: 'BIGINT', shipping_cost: 'DECIMAL(14, 3)', shipping_distance: 'DECIMAL(14, 3)',
    quantity: 'DECIMAL(14, 3)', product_id: 'BIGINT'
  })
), ranked AS (
  SELECT *, row_number() OVER (PARTITION BY file_date, shipping_id ORDER BY place DESC) AS rank FROM landed
)
SELECT file_date, shipping_id, shipping_cost, shipping_distance, quantity, product_id
FROM ranked WHERE rank = 1
"""

NOT_YET = (
    AssertionError,
    psycopg2.Error,
    BotoCoreError,
    ClientError,
    requests.RequestException,
    KeyError,
    OSError,
)
"""What a stack that is still coming back makes of a question."""


@dataclass
class Oracle:
    """Reads what landed with DuckDB, and compares.

    Args:
        laptop: The stack.
        folder: Where landed objects are downloaded.
    """

    laptop: ChaosLaptop
    folder: Path
    _forgiven: set[str] = field(default_factory=set, init=False)

    def forgive(self) -> None:
        """Leave out of later judgements what is wrong now: one failure is not to fail all that follows."""
        with suppress(*NOT_YET):
            landed = self.landed()
            loaded = {
                (row["key"], row["etag"]) for row in self.laptop.query(LEDGER) if row["state"] == "loaded"
            }
            self._forgiven |= {key for key, etag in landed.items() if (key, etag) not in loaded}
            self._forgiven |= {row["run_id"] for row in self._unfinished()}
            self._forgiven |= {row["alert_id"] for row in self.laptop.query(UNSENT)}

    def converge(self, seconds: float = CONVERGE_SECONDS) -> float:
        """Wait until everything is as it must be; seconds that took."""
        begun = time.monotonic()
        while True:
            try:
                self.judge()
            except NOT_YET as reason:
                if time.monotonic() - begun > seconds:
                    raise AssertionError(f"not converged in {seconds:.0f} s: {reason}") from reason
                time.sleep(POLL_SECONDS)
            else:
                return time.monotonic() - begun

    def judge(self) -> None:
        """Every invariant, cheapest first."""
        assert self.laptop.is_ready(), "a component does not run"
        landed = self.landed()
        self.every_file_has_one_verdict(landed)
        self.no_run_is_left()
        self.everybody_was_told_once()
        self.the_warehouse_holds_what_landed(landed)

    def landed(self) -> dict[str, str]:
        """The current objects of the landing bucket: key → etag. Downloads those it did not have."""
        s3 = self.laptop.client("s3")
        bucket = self.laptop.settings.landing_bucket
        found = {}
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            for item in page.get("Contents", ()):
                if not is_own(item["Key"]):
                    found[item["Key"]] = etag = item["ETag"].strip('"')
                    self._download(s3, bucket, item["Key"], etag)
        return found

    def _download(self, s3: Any, bucket: str, key: str, etag: str) -> None:
        target = self.folder / key
        mark = target.with_name(f".{target.name}.{etag}")
        if not mark.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
            for old in target.parent.glob(f".{target.name}.*"):
                old.unlink()
            mark.touch()

    def every_file_has_one_verdict(self, landed: dict[str, str]) -> None:
        rows = self.laptop.query(LEDGER)
        current = Counter((row["key"], row["etag"]) for row in rows if row["state"] in ("loaded", "rejected"))
        lacking = [
            key for key, etag in landed.items() if current[key, etag] != 1 and key not in self._forgiven
        ]
        assert not lacking, f"without one verdict on the current version: {lacking}"
        loaded = Counter(row["key"] for row in rows if row["state"] == "loaded")
        differing = (set(loaded) ^ set(landed)) - self._forgiven
        assert not differing, f"loaded and landed differ: {differing}"
        assert set(loaded.values()) <= {1}, f"loaded twice: {loaded.most_common(3)}"
        for row in (row for row in rows if row["rows_read"] is not None):
            counted = (row["rows_loaded"] or 0) + (row["rows_rejected"] or 0)
            assert row["rows_read"] == counted, f"rows read are not loaded + rejected: {row}"

    def no_run_is_left(self) -> None:
        runs = [run for run in self._unfinished() if run["run_id"] not in self._forgiven]
        assert not runs, f"unfinished runs: {runs}"

    def _unfinished(self) -> list[dict[str, Any]]:
        return self.laptop.query(UNFINISHED, dagster=True) + self.laptop.query(
            WAITING_FOR_RETRY, dagster=True
        )

    def everybody_was_told_once(self) -> None:
        unsent = [row for row in self.laptop.query(UNSENT) if row["alert_id"] not in self._forgiven]
        assert not unsent, f"alerts that were not sent: {unsent}"
        alerts = read_alerts(self.laptop.settings)
        ids = Counter(alert["id"] for alert in alerts)
        assert set(ids.values()) <= {1}, f"told twice: {ids.most_common(3)}"
        written = {row["alert_id"] for row in self.laptop.query("SELECT alert_id FROM airlines.alert_outbox")}
        undelivered = written - set(ids) - self._forgiven
        assert not undelivered, f"sent, but not delivered: {undelivered}"
        told = {
            name for alert in alerts if alert["event"] == "loaded" for name in subjects_of(alert["subject"])
        }
        rows = self.laptop.query(LEDGER)
        untold = [
            row["key"]
            for row in rows
            if row["state"] == "loaded"
            and str(row["partition_date"] or row["feed"]) not in told
            and row["key"] not in self._forgiven
        ]
        assert not untold, f"nobody was told of their load: {untold}"

    def times_told(self, day: date) -> int:
        """How many alerts say that the day was loaded; each load that was committed may tell."""
        alerts = read_alerts(self.laptop.settings)
        return sum(
            alert["event"] == "loaded" and str(day) in subjects_of(alert["subject"]) for alert in alerts
        )

    def the_warehouse_holds_what_landed(self, landed: dict[str, str]) -> None:
        known = {"airports": str(self.folder / "airport_codes" / "*.csv")}
        with duckdb.connect() as engine:
            airports = engine.execute(EXPECTED_DIMENSION, known).fetchall()
            assert Counter(airports) == self._rows(DIMENSION), "the dimension is not what landed"
            if flights := self._files(FLIGHTS, landed):
                expected = engine.execute(EXPECTED_FACT, known | {"flights": flights}).fetchall()
                _same(Counter(expected), self._without_forgiven(self._rows(FACT)))
            bookings = self._files(BOOKINGS, landed)
            if bookings and not any(key.startswith(BOOKINGS.prefix) for key in self._forgiven):
                expected = engine.execute(EXPECTED_BOOKINGS, known | {"bookings": bookings}).fetchall()
                _same(Counter(expected), self._rows(BOOKINGS_FACT))
            shipments = self._files(SHIPMENTS, landed)
            if shipments and not any(key.startswith(SHIPMENTS.prefix) for key in self._forgiven):
                expected = engine.execute(EXPECTED_SHIPMENTS, {"files": shipments}).fetchall()
                found = engine.execute(SHIPMENTS_FOUND, {"files": self._normalized()}).fetchall()
                _same(Counter(expected), Counter(found))

    def _normalized(self) -> list[str]:
        """The lake's Parquet of shipments as it is now: what the catalog's partitions point to."""
        s3, bucket = self.laptop.client("s3"), self.laptop.settings.lake_bucket
        glue, database = self.laptop.client("glue"), self.laptop.settings.glue_database
        days = glue.get_paginator("get_partitions").paginate(
            DatabaseName=database, TableName=SHIPMENTS.table.name
        )
        prefixes = [
            day["StorageDescriptor"]["Location"].removeprefix(f"s3://{bucket}/")
            for page in days
            for day in page["Partitions"]
        ]
        folder = self.folder / "lake"
        shutil.rmtree(folder, ignore_errors=True)
        paths = []
        lister = s3.get_paginator("list_objects_v2")
        pages = (page for prefix in prefixes for page in lister.paginate(Bucket=bucket, Prefix=prefix))
        for item in (item for page in pages for item in page.get("Contents", ())):
            path = folder / item["Key"]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(s3.get_object(Bucket=bucket, Key=item["Key"])["Body"].read())
            paths.append(str(path))
        assert paths, "the catalog shows no shipments"
        return paths

    def _files(self, feed: Feed, landed: dict[str, str]) -> list[str]:
        keys = [key for key in landed if key.startswith(feed.prefix) and key not in self._forgiven]
        return [str(self.folder / key) for key in keys]

    def _without_forgiven(self, rows: Counter[tuple[Any, ...]]) -> Counter[tuple[Any, ...]]:
        days = {day for day, *_ in rows}
        wrong = {day for day in days if any(f"date={day}/" in key for key in self._forgiven)}
        return Counter({row: count for row, count in rows.items() if row[0] not in wrong})

    def _rows(self, sql: str) -> Counter[tuple[Any, ...]]:
        return Counter(tuple(row.values()) for row in self.laptop.query(sql))


def _same(expected: Counter[tuple[Any, ...]], found: Counter[tuple[Any, ...]]) -> None:
    missing, surplus = expected - found, found - expected
    assert not missing, f"{missing.total()} rows are missing, such as {next(iter(missing))}"
    assert not surplus, f"{surplus.total()} rows are too many, such as {next(iter(surplus))}"


def subjects_of(subject: str) -> set[str]:
    """The days a subject tells of, or the feed without days."""
    days = [date.fromisoformat(found) for found in re.findall(r"\d{4}-\d{2}-\d{2}", subject)]
    if not days:
        return {AIRPORTS.name} if AIRPORTS.table.name in subject else set()
    return {str(min(days) + timedelta(days=n)) for n in range((max(days) - min(days)).days + 1)}
