"""What the files of a day said of bookings, counted and added up."""

from airline_platform.contract.table import Column, Table, sum_of
from airline_platform.feeds.bookings import BOOKINGS, FARE
from assets.marts.mart import Mart, Sums

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

BOOKINGS_DAILY = Mart(
    table=Table(
        name="bookings_daily",
        description="One row per day of files, carrier, cabin, status and currency that a booking had.",
        columns=(
            Column("file_date", "date", "Day of the files that say so, from their keys.", required=True),
            Column("carrier", "string", "Carrier code.", required=True, length=3),
            Column("cabin", "string", "Cabin class.", required=True, length=16),
            Column("status", "string", "What the bookings have come to.", required=True, length=16),
            Column("currency", "string", "Currency of the fares, ISO 4217.", required=True, length=3),
            Column("bookings", "bigint", "How many bookings.", required=True),
            sum_of(FARE, "fare_amount", "Their fares added up, in units of the currency.", required=True),
        ),
        partition_column="file_date",
        dist_key="carrier",
        sort_key=("file_date",),
        key=("file_date", "carrier", "cabin", "status", "currency"),
    ),
    source=BOOKINGS.table,
    caveats=(
        "It is what the files of each day said: a booking of which the files of two days speak counts on "
        "both, with the status it had on each, and once on a day, as the newest file of that day has it. "
        "What is true today stands in fact_bookings. Fares are a revenue only where the status is CONFIRMED, "
        "and those of different currencies do not add up."
    ),
    sums=Sums(
        BOOKING_SUMS,
        {"bookings": ("SUM(bookings)", "bookings"), "fares": ("SUM(fare_amount)", "fares")},
        of_each="currency",
    ),
    made_of={"bookings": ("booking_id",)},
    figures=("bookings",),
)
