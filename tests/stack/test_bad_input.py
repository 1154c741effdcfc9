"""Input as bad as it comes, landed all at once: each file gets its verdict, and nobody else's rows suffer."""

import gzip
import io
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from airline_platform.feeds.flights import FLIGHTS
from command.demo.new_york import write_flights

HEADER = FLIGHTS.header
NAMES = HEADER.split(",")
GOOD = "B6,12478,12892,4,5"
FORTY = [GOOD] * 40
FIELDS = f"expected 5 fields ({HEADER})"
FIRST_DAY = date(2013, 5, 1)

pytestmark = pytest.mark.usefixtures("airports")


def file(*rows: str, header: str = HEADER, end: str = "\n") -> bytes:
    return end.join([header, *rows, ""]).encode()


def as_parquet() -> bytes:
    sink = io.BytesIO()
    parquet.write_table(pa.table({name: ["1"] for name in NAMES}), sink)
    return sink.getvalue()


def numbers(count: int) -> list[str]:
    """Rows that gzip can't make small."""
    return [f"B6,{n * 7919 % 30_011 + 1},{n * 104_729 % 30_011 + 1},{n % 97},{n % 89}" for n in range(count)]


# --- the table


@dataclass(frozen=True)
class Case:
    """One file and what must come of it.

    Args:
        name: Unique.
        body: Its bytes.
        file_name: Under the case's day; `*` stands for the whole key's day.
    """

    name: str
    body: bytes
    file_name: str = "flights.csv"


@dataclass(frozen=True)
class Loaded(Case):
    """Its rows are in the fact, but for its rejects: line, reason and text of each."""

    rows: int = 1
    rejects: tuple[tuple[int, str, str], ...] = ()
    row: tuple[Any, ...] | None = ("B6", 12478, 12892, 4, 5)


@dataclass(frozen=True)
class RefusedFile(Case):
    """None of its rows is read; the other file of its day is loaded."""

    line: int = 1
    found: str = ""
    expected: str = f"the header {HEADER}"
    remedy: str = ""


@dataclass(frozen=True)
class KeepsOldRows(Case):
    """The rows of the key's earlier version stand."""

    reason: str = ""


@dataclass(frozen=True)
class UnknownKeyOf(Case):
    """No feed claims its key."""

    key: str = ""
    reason: str = ""


CODE = "expected a carrier code: two or three letters or digits"
SEEN = "expected no control and no invisible characters"
GIVE_ROWS = "Land the file again, with its rows."
CORRECT = "Correct the header, or land the file under its own feed's prefix instead of daily_flights/; "
CORRECT += (
    "other names of columns, and what strange ones come to, can be declared (Feed.reading, Feed.drift)."
)
COMPRESS = "Compress the file again and land it whole."
COMMAS = "Export the file with commas as separators, or declare delimiter="
EXPORT = "Export the file as CSV in UTF-8."
GZIP = "a complete gzip stream"
TEXT = "CSV text in UTF-8"
SPLIT = f"the header {HEADER}, separated by commas"

REFUSED = [
    RefusedFile("no bytes", b"", found="the file is empty", remedy="Land the file again, complete."),
    RefusedFile(
        "a header and nothing else",
        file(),
        line=2,
        found="no rows after the header",
        expected="at least one row",
        remedy=GIVE_ROWS,
    ),
    RefusedFile(
        "the header twice",
        file(HEADER),
        line=2,
        found="no rows after the header",
        expected="at least one row",
        remedy=GIVE_ROWS,
    ),
    RefusedFile(
        "no header",
        file(*FORTY).partition(b"\n")[2],
        found="columns missing 'Carrier'",
        remedy="Put the header on the first line, or land the file under",
    ),
    RefusedFile(
        "another header",
        file("1,2,3", header="Carrier,From,To"),
        found="columns missing 'OriginAirportID', 'DestAirportID', 'DepDelay', 'ArrDelay'; "
        "not of this feed 'From', 'To'",
        remedy=CORRECT,
    ),
    RefusedFile(
        "a column more",
        file(f"{GOOD},N1", header=f"{HEADER},TailNumber"),
        found="columns not of this feed 'TailNumber'",
        remedy=CORRECT,
    ),
    RefusedFile(
        "a column less",
        file("B6,1,2,3", header=HEADER.removesuffix(",ArrDelay")),
        found="columns missing 'ArrDelay'",
        remedy=CORRECT,
    ),
    RefusedFile(
        "a column twice",
        file(f"{GOOD},B6", header=f"{HEADER},carrier"),
        found="columns twice 'carrier'",
        remedy=CORRECT,
    ),
    *(
        RefusedFile(
            f"{name} for commas",
            file(*FORTY).replace(b",", sign),
            found=f"columns separated by {name}",
            expected=SPLIT,
            remedy=COMMAS,
        )
        for name, sign in {"semicolons (;)": b";", "tabs": b"\t", "bars (|)": b"|"}.items()
    ),
    RefusedFile(
        "a Latin-1 header",
        "Carrier,Aéroport\nB6,1\n".encode("latin-1"),
        found="byte 10 is not UTF-8",
        expected=f"the header {HEADER} in UTF-8",
        remedy="Export the file in UTF-8, or declare its encoding (Feed.reading), such as 'latin-1'.",
    ),
    RefusedFile(
        "UTF-16",
        file(*FORTY).decode().encode("utf-16"),
        found="the file is UTF-16 or UTF-32",
        expected=TEXT,
        remedy=EXPORT,
    ),
    RefusedFile(
        "a first line of 10 MB",
        b"x" * 10_000_000,
        found="a line longer than 65,536 bytes",
        remedy="End the lines with LF.",
    ),
    RefusedFile(
        "Parquet called .csv",
        as_parquet(),
        found="the file is Parquet",
        expected=TEXT,
        remedy=EXPORT,
    ),
    RefusedFile(
        "gzip called .csv",
        gzip.compress(file(*FORTY)),
        found="the file is gzip, which its name does not say",
        expected=TEXT,
        remedy="Let its name end in .csv.gz, or land it uncompressed.",
    ),
    RefusedFile(
        "text called .csv.gz",
        file(*FORTY),
        "flights.csv.gz",
        found="the file is not gzip",
        expected="gzip, as the name says",
        remedy="Compress the file, or let its name end in .csv.",
    ),
    RefusedFile(
        "a small gzip that ends early",
        gzip.compress(file(*numbers(500)), compresslevel=0)[:-9],
        "flights.csv.gz",
        line=501,
        found="the gzip stream ends early",
        expected=GZIP,
        remedy=COMPRESS,
    ),
    RefusedFile(
        "a large gzip that ends early",
        gzip.compress(file(*numbers(40_000)), compresslevel=0)[:-9],
        "flights.csv.gz",
        line=40_001,
        found="the gzip stream ends early",
        expected=GZIP,
        remedy=COMPRESS,
    ),
    RefusedFile(
        "a gzip of another sum than it says",
        gzip.compress(file(*FORTY))[:-8] + bytes(8),
        "flights.csv.gz",
        line=42,
        found="the gzip stream is damaged",
        expected=GZIP,
        remedy=COMPRESS,
    ),
    RefusedFile(
        "a small gzip with zeros behind it",
        gzip.compress(file(*FORTY)) + bytes(512),
        "flights.csv.gz",
        line=42,
        found="the gzip stream is damaged",
        expected=GZIP,
        remedy=COMPRESS,
    ),
    RefusedFile(
        "a large gzip with zeros behind it",
        gzip.compress(file(*numbers(40_000))) + bytes(512),
        "flights.csv.gz",
        line=40_002,
        found="the gzip stream is damaged",
        expected=GZIP,
        remedy=COMPRESS,
    ),
]

LOADED = [
    Loaded(
        "columns in another order",
        file("5,12892,B6,4,12478", header="ArrDelay,DestAirportID,Carrier,DepDelay,OriginAirportID"),
    ),
    Loaded("columns in another case", file(GOOD, header=HEADER.upper())),
    Loaded("a byte order mark", b"\xef\xbb\xbf" + file(GOOD)),
    Loaded("Windows line ends", file(GOOD, GOOD, end="\r\n"), rows=2),
    Loaded("old Macintosh line ends", file(GOOD, GOOD, end="\r"), rows=2),
    Loaded("quotes around everything, blank lines", file("", '"B6","12478","12892","4","5"', "")),
    Loaded("gzip", gzip.compress(file(*FORTY)), "flights.csv.gz", rows=40),
    Loaded(
        "gzip of two members",
        gzip.compress(file(GOOD)) + gzip.compress(f"{GOOD}\n".encode()),
        "flights.csv.gz",
        rows=2,
    ),
    Loaded(
        "cancelled flights",
        file("B6,12478,12892,,", "B6,12478,12892,,"),
        rows=2,
        row=("B6", 12478, 12892, None, None),
    ),
    Loaded("unknown airports", file("B6,77777,77778,4,5"), row=("B6", 77777, 77778, 4, 5)),
    Loaded("the same row three times", file(GOOD, GOOD, GOOD), rows=3),
    Loaded("a name with spaces", file(GOOD), "JFK and LGA (2).csv"),
    Loaded("a name with signs", file(GOOD), "a+b&c=d#e;f'g,h!@[i]{j}*k~.csv"),
    Loaded("a name in Unicode", file(GOOD), "é ü 東京 ✈ \U0001f600.csv"),
    Loaded("a name with per cent signs", file(GOOD), "100% a%20b%2Fc%00.csv"),
    Loaded("a name with dots", file(GOOD), "a..b...csv"),
    Loaded("a long name", file(GOOD), f"{'x' * 200}.csv"),
    Loaded(
        "a Latin-1 row",
        file(*FORTY) + "É6,12478,12892,4,5\n".encode("latin-1"),
        rows=40,
        rejects=((42, "expected UTF-8 text without NUL, found other bytes", "\ufffd6,12478,12892,4,5"),),
    ),
    Loaded(
        "two codings",
        file("É6,12478,12892,4,5", *FORTY) + "É6,12478,12892,4,5\n".encode("latin-1"),
        rows=40,
        rejects=(
            (2, f"Carrier is 'É6'; {CODE}", "É6,12478,12892,4,5"),
            (43, "expected UTF-8 text without NUL, found other bytes", "\ufffd6,12478,12892,4,5"),
        ),
        row=None,
    ),
    Loaded(
        "a NUL in a row",
        file(*FORTY, "B\0,12478,12892,4,5"),
        rows=40,
        rejects=((42, "expected UTF-8 text without NUL, found other bytes", "B\0,12478,12892,4,5"),),
    ),
    Loaded(
        "a line break in quotes",
        file(*FORTY, '"B6\n",12478,12892,4,5', '"B\n6",12478,12892,4,5'),
        rows=41,
        rejects=((44, f"Carrier has U+000A at character 2; {SEEN}", '"B\n6",12478,12892,4,5'),),
    ),
    Loaded(
        "a line of 10 MB",
        file(*FORTY, "x" * 10_000_000, GOOD),
        rows=41,
        rejects=((42, "expected at most 20,000 characters, found more", "x" * 20_001),),
    ),
    Loaded(
        "text in a number",
        file(*FORTY, "B6,12478,12892,late,5"),
        rows=40,
        rejects=((42, "DepDelay is 'late'; expected a whole number", "B6,12478,12892,late,5"),),
    ),
    Loaded(
        "no origin",
        file(*FORTY, "B6,,12892,4,5"),
        rows=40,
        rejects=((42, "OriginAirportID is empty; a value is required", "B6,,12892,4,5"),),
    ),
    Loaded(
        "a field more and a field less",
        file(*FORTY, f"{GOOD},6", "B6,12478"),
        rows=40,
        rejects=((42, FIELDS, f"{GOOD},6"), (43, FIELDS, "B6,12478")),
    ),
]

KEEP = [
    KeepsOldRows(
        "too many bad rows",
        file(GOOD, "B6,x,y,4,5"),
        reason="expected at most 5.0% of the rows to be rejected, found 50.0% of 2",
    ),
    KeepsOldRows(
        "a newer version with a wrong header",
        file(GOOD, header="Carrier,From"),
        reason="line 1: columns missing 'OriginAirportID'",
    ),
]

DAYS_KEPT = "is outside the days the platform keeps, 2013-01-01 to "
LAYOUT = "flights files land as daily_flights/date=YYYY-MM-DD/<file>.csv or daily_flights/YYYY-MM-DD.csv"
NOWHERE = "no feed lands here; feeds land under airport_codes/"
UNKNOWN = [
    UnknownKeyOf(name, file(GOOD), key=key, reason=reason)
    for name, key, reason in (
        (
            "a day of no calendar",
            "daily_flights/date=2013-02-30/x.csv",
            "2013-02-30 is not a day of the calendar",
        ),
        ("a day too early", "daily_flights/2012-12-31.csv", f"2012-12-31 {DAYS_KEPT}"),
        ("a day too late", "daily_flights/date=2999-01-01/x.csv", f"2999-01-01 {DAYS_KEPT}"),
        ("a day without zeros", "daily_flights/date=2013-5-1/x.csv", LAYOUT),
        ("no day", "daily_flights/flights.csv", LAYOUT),
        ("a path upwards", "daily_flights/date=2013-05-01/../x.csv", LAYOUT),
        ("a path out of the bucket", "daily_flights/../../../x.csv", LAYOUT),
        ("two slashes", "daily_flights//date=2013-05-01/x.csv", LAYOUT),
        ("an encoded key", "daily_flights%2Fdate%3D2013-05-01%2Fx.csv", NOWHERE),
        ("an encoded day", "daily_flights/date%3D2013-05-01/x.csv", LAYOUT),
        ("no feed's prefix", "invoices/2013 é+ü.csv", NOWHERE),
        ("another suffix", "daily_flights/date=2013-05-01/x.parquet", "flights files end in .csv or .csv.gz"),
        (
            "a hidden file",
            "daily_flights/date=2013-05-01/_x.csv",
            "Spark skips files whose names start with _ or .",
        ),
        (
            "airports in a folder",
            "airport_codes/old/x.csv",
            "airports files land as airport_codes/<file>.csv",
        ),
    )
]

CASES: list[Case] = [*REFUSED, *LOADED, *KEEP]
"""Each on a day of its own; after every seventh comes a day of real flights."""


def days() -> Iterator[tuple[date, Case | None]]:
    """Every day with its case, or with none where it is a neighbour."""
    today = FIRST_DAY
    for number, case in enumerate(CASES):
        if number % 7 == 0:
            yield today, None
            today += timedelta(1)
        yield today, case
        today += timedelta(1)
    yield today, None


DAY_OF = {case.name: day for day, case in days() if case}
NEIGHBOURS = [day for day, case in days() if case is None]


def key_of(case: Case) -> str:
    return case.key if isinstance(case, UnknownKeyOf) else FLIGHTS.key(case.file_name, DAY_OF[case.name])


# --- the landing


@dataclass
class Landed:
    """What the platform made of it all."""

    neighbours: dict[date, int]
    ledger: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    rows: dict[date, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    alerts: list[dict[str, Any]] = field(default_factory=list)

    def entry(self, case: Case) -> dict[str, Any]:
        """The ledger's row of the case's file, of the version that came last."""
        return self.ledger[key_of(case)][-1]

    def told(self, case: Case, event: str) -> str:
        """What alerts of a kind say of a case."""
        lines = [
            line for alert in self.alerts if alert["event"] == event for line in alert["message"].splitlines()
        ]
        return "\n".join(line for line in lines if key_of(case) in line or str(DAY_OF.get(case.name)) in line)


def put(stack: Any, objects: Mapping[str, bytes]) -> None:
    """Land them together, so that few ticks of the sensor see all of them."""
    s3, bucket = stack.client("s3"), stack.settings.landing_bucket
    # Whoever listens takes the first few: days with gaps between them, a run for each. To stop it costs
    # seconds, which one object is not worth.
    together = stack.nobody_listening() if len(objects) > 1 else nullcontext()
    with together, ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: s3.put_object(Bucket=bucket, Key=key, Body=objects[key]), objects))


@pytest.fixture(scope="module")
def landed(stack: Any, tmp_path_factory: pytest.TempPathFactory) -> Landed:
    """Everything landed, first what is to be kept, then the rest in one go; then read once for all tests."""
    put(stack, {key_of(case): file(GOOD, GOOD, GOOD) for case in KEEP})
    stack.wait()
    folder = tmp_path_factory.mktemp("neighbours")
    found = Landed(write_flights(folder, NEIGHBOURS))
    beside = {FLIGHTS.key("other.csv", DAY_OF[case.name]): file(GOOD, GOOD) for case in REFUSED}
    flown = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.csv")}
    put(stack, flown | beside | {key_of(case): case.body for case in [*CASES, *UNKNOWN]})
    stack.wait()
    stack.wait_until_idle()
    for row in stack.query("SELECT * FROM airlines.ingested_files ORDER BY landed_at, loaded_at"):
        found.ledger[row["key"]].append(row)
    between = f"flight_date BETWEEN '{FIRST_DAY}' AND '{NEIGHBOURS[-1]}'"
    for row in stack.query(f"SELECT * FROM airlines.daily_flights_processed WHERE {between}"):
        found.rows[row["flight_date"]].append(row)
    found.alerts = stack.json("alerts")
    return found


def each(cases: list[Any]) -> Any:
    return pytest.mark.parametrize("case", cases, ids=lambda case: case.name)


def values(rows: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """What came from the file: carrier, both airports' ids, both delays."""
    names = ("carrier", "origin_airport_id", "dest_airport_id", "dep_delay", "arr_delay")
    return [tuple(row[name] for name in names) for row in rows]


def counts(entry: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(entry[name] for name in ("state", "rows_read", "rows_loaded", "rows_rejected"))


# --- the tests


@each(REFUSED)
def test_a_file_that_can_not_be_read_is_refused_with_its_line_the_expectation_and_the_remedy(
    landed: Landed, case: RefusedFile
) -> None:
    entry = landed.entry(case)

    assert (entry["feed"], entry["partition_date"]) == ("flights", DAY_OF[case.name])
    assert counts(entry) == ("rejected", None, None, None)
    place, _, reason = entry["reason"].partition(": ")
    found, _, advice = reason.partition("; expected ")
    assert place == f"line {case.line}"
    assert reason.startswith(case.found)
    assert f"; expected {case.expected}. {case.remedy}" in reason
    assert found
    assert advice.endswith(".")
    assert entry["reason"] in landed.told(case, "refused")


@each(REFUSED)
def test_the_other_file_of_its_day_is_loaded(landed: Landed, case: RefusedFile) -> None:
    (other,) = landed.ledger[FLIGHTS.key("other.csv", DAY_OF[case.name])]

    assert counts(other) == ("loaded", 2, 2, 0)
    assert values(landed.rows[DAY_OF[case.name]]) == [("B6", 12478, 12892, 4, 5)] * 2


@each(LOADED)
def test_a_file_that_can_be_read_is_loaded_but_for_the_lines_that_can_not(
    landed: Landed, case: Loaded
) -> None:
    entry = landed.entry(case)
    rows = landed.rows[DAY_OF[case.name]]

    assert counts(entry) == ("loaded", case.rows + len(case.rejects), case.rows, len(case.rejects))
    assert entry["reason"] is None
    assert len(rows) == case.rows
    if case.row:
        assert set(values(rows)) == {case.row}


@each([case for case in LOADED if case.rejects])
def test_a_rejected_line_is_found_with_athena(
    rejects: dict[str, list[tuple[int, str, str]]], case: Loaded
) -> None:
    assert rejects[key_of(case)] == list(case.rejects)


@each(KEEP)
def test_what_can_not_replace_a_day_leaves_its_old_rows(landed: Landed, case: KeepsOldRows) -> None:
    old, new = landed.ledger[key_of(case)]

    assert counts(old) == ("loaded", 3, 3, 0)
    assert new["state"] == "rejected"
    assert new["reason"].startswith(case.reason)
    assert len(landed.rows[DAY_OF[case.name]]) == 3
    told = landed.told(case, "refused")
    assert case.reason in told
    assert key_of(case) in told


@each(UNKNOWN)
def test_a_key_no_feed_knows_is_told_and_stands_in_the_ledger(landed: Landed, case: UnknownKeyOf) -> None:
    (entry,) = landed.ledger[case.key]

    assert (entry["feed"], entry["partition_date"]) == ("unknown", None)
    assert counts(entry) == ("rejected", None, None, None)
    assert entry["reason"].startswith(case.reason)
    assert f"{case.key}: {case.reason}" in landed.told(case, "unknown_key")


@pytest.mark.parametrize("day", NEIGHBOURS, ids=str)
def test_the_days_beside_them_are_loaded_whole(landed: Landed, day: date) -> None:
    (entry,) = landed.ledger[FLIGHTS.key("flights.csv", day)]
    flights = landed.neighbours[day]

    assert counts(entry) == ("loaded", flights, flights, 0)
    assert len(landed.rows[day]) == flights
    assert all(row["dep_airport"] and row["arr_airport"] for row in landed.rows[day])


def test_all_of_it_took_a_few_runs(landed: Landed) -> None:
    days_of_runs = defaultdict(set)
    for entries in landed.ledger.values():
        for entry in entries:
            if entry["partition_date"] and entry["partition_date"] >= FIRST_DAY:
                days_of_runs[entry["run_id"]].add(entry["partition_date"])

    assert {day for days in days_of_runs.values() for day in days} >= set(NEIGHBOURS)
    assert len(days_of_runs) < len(CASES) / 3


@pytest.fixture(scope="module")
def rejects(stack: Any, landed: Landed) -> dict[str, list[tuple[int, str, str]]]:  # noqa: ARG001 - it landed
    """Line number, reason and text of every rejected line, by its file's key, as Athena tells."""
    rows = ask_athena(
        stack,
        "SELECT source_file, line_number, reject_reason, raw_text FROM flights_rejects "
        f"WHERE \"date\" BETWEEN '{FIRST_DAY}' AND '{NEIGHBOURS[-1]}' ORDER BY source_file, line_number",
    )
    found = defaultdict(list)
    for url, line, reason, text in rows:
        found[url.removeprefix(f"s3://{stack.settings.landing_bucket}/")].append((int(line), reason, text))
    return found


def ask_athena(stack: Any, sql: str) -> list[list[str]]:
    """Rows of a query on the platform's database, without the header."""
    athena, settings = stack.client("athena"), stack.settings
    query = athena.start_query_execution(
        QueryString=sql,
        WorkGroup=settings.workgroup,
        QueryExecutionContext={"Database": settings.glue_database},
    )["QueryExecutionId"]
    status = Retrying(
        retry=retry_if_result(lambda found: found["State"] in ("QUEUED", "RUNNING")),
        wait=wait_fixed(0.1),
        stop=stop_after_delay(60),
    )(lambda: athena.get_query_execution(QueryExecutionId=query)["QueryExecution"]["Status"])
    assert status["State"] == "SUCCEEDED", status
    pages = athena.get_paginator("get_query_results").paginate(QueryExecutionId=query)
    rows = [row["Data"] for page in pages for row in page["ResultSet"]["Rows"]]
    return [[cell.get("VarCharValue", "") for cell in row] for row in rows[1:]]


# --- what comes later; each on a day with none beside it, and so in a run of its own

TWICE, SOME_REJECTS, BRACES, UNSTORED, MARKED = (NEIGHBOURS[-1] + timedelta(2 * n) for n in range(1, 6))
REJECTS_KEY = FLIGHTS.key("some rejects.csv", SOME_REJECTS)
# Who reads the first 256 KiB of these rejects ends in the middle of one, behind a brace.
LONG = [*["\U0001f600" * 20_001] * 3, *["}" * 20_001] * 5]


@pytest.fixture(scope="module")
def later(stack: Any, landed: Landed) -> None:  # noqa: ARG001 - it landed
    """Three days and an airport land at once, and then one more file of one of the days."""
    put(
        stack,
        {
            FLIGHTS.key("early.csv", TWICE): file(GOOD, GOOD),
            REJECTS_KEY: file(*FORTY, "B6,12478,12892,late,5", "B6,12478"),
            FLIGHTS.key("braces.csv", BRACES): file(*FORTY * 5, *LONG),
            "airport_codes/later.csv": b"airport_id,city,state,name\n77777,Erewhon,ER,Nowhere Intl\n",
        },
    )
    stack.wait()
    assert loaded_rows(stack, TWICE) == 2
    put(stack, {f"daily_flights/{TWICE}.csv": file(GOOD)})
    stack.wait()
    stack.wait_until_idle()


@pytest.mark.usefixtures("later")
def test_two_files_of_a_day_both_belong_to_it_also_when_one_comes_late(stack: Any) -> None:
    assert loaded_rows(stack, TWICE) == 3


@pytest.mark.usefixtures("later")
def test_the_alert_of_a_load_names_the_first_rejects_with_file_line_and_reason(stack: Any) -> None:
    (told,) = [alert["message"] for alert in stack.alerts("loaded") if f"{SOME_REJECTS}" in alert["subject"]]
    url = f"s3://{stack.settings.landing_bucket}/{REJECTS_KEY}"
    assert "Rejected:  2 rows" in told
    assert f"{url}, line 42: DepDelay is 'late'; expected a whole number" in told
    assert f"{url}, line 43: {FIELDS}" in told
    assert "What to do:" in told


@pytest.mark.usefixtures("later")
def test_an_airport_that_comes_later_is_spelled_out_in_the_rows_that_lacked_it(
    stack: Any, landed: Landed
) -> None:
    (case,) = [case for case in LOADED if case.name == "unknown airports"]
    (before,) = landed.rows[DAY_OF[case.name]]
    assert [before[name] for name in ("dep_airport", "dep_city", "dep_state", "arr_airport")] == [None] * 4

    (after,) = stack.query(
        f"SELECT * FROM airlines.daily_flights_processed WHERE flight_date = '{DAY_OF[case.name]}'"
    )
    spelled = {"dep_airport": "Nowhere Intl", "dep_city": "Erewhon", "dep_state": "ER"}
    assert after == before | spelled


@pytest.mark.usefixtures("later")
def test_rejects_that_look_like_the_end_of_a_record_do_not_stop_the_load(stack: Any) -> None:
    assert loaded_rows(stack, BRACES) == 200


UNSTORABLE = {
    "a NUL": {"key": "daily_flights/2013-05-01\0.csv", "etag": "e"},
    "half a pair": {"key": "daily_flights/2013-05-01\ud800.csv", "etag": "e"},
    "a long key": {"key": f"daily_flights/{'x' * 5000}.csv", "etag": "e"},
    "an odd tag": {"key": "invoices/1.csv", "etag": "\0" * 500},
    "a size of no number": {"key": "invoices/2.csv", "etag": "e", "size": "big"},
}
"""Objects of events as S3 never tells them; the queue takes them from anybody."""


@pytest.mark.usefixtures("later")
def test_events_no_warehouse_could_store_are_told_and_stop_nothing(stack: Any) -> None:
    day = UNSTORED
    sqs = stack.client("sqs")
    queue = sqs.get_queue_url(QueueName=stack.settings.landing_queue)["QueueUrl"]
    before = len(stack.alerts("unknown_key"))
    try:
        for event in UNSTORABLE.values():
            sqs.send_message(QueueUrl=queue, MessageBody=json.dumps({"detail": {"object": event}}))
        put(stack, {FLIGHTS.key("flights.csv", day): file(GOOD)})
        stack.wait()
        stack.wait_until_idle()
    finally:
        # Else they stay for the tests behind this one.
        sqs.purge_queue(QueueUrl=queue)

    assert loaded_rows(stack, day) == 1
    told = stack.alerts("unknown_key")
    lines = "\n".join(alert["message"] for alert in told[: len(told) - before])
    assert all(
        key in lines for key in (r"\x00.csv", r"\ud800.csv", "x" * 5000, "invoices/1.csv", "invoices/2.csv")
    )


@pytest.mark.usefixtures("later")
def test_markers_and_s3_trying_the_queue_are_passed_over_in_silence(stack: Any) -> None:
    day = MARKED
    sqs, before = stack.client("sqs"), len(stack.alerts("unknown_key"))
    queue = sqs.get_queue_url(QueueName=stack.settings.landing_queue)["QueueUrl"]
    names = ("", "_SUCCESS", ".flights.csv.crc", "_temporary/0/task/flights.csv", "Thumbs.db")
    markers = [*(FLIGHTS.key(name, day) for name in names), f"{FLIGHTS.prefix}date={day}_$folder$"]

    sqs.send_message(QueueUrl=queue, MessageBody='{"Service": "Amazon S3", "Event": "s3:TestEvent"}')
    put(stack, dict.fromkeys(markers, b"") | {FLIGHTS.key("flights.csv", day): file(GOOD)})
    stack.wait()
    stack.wait_until_idle()

    assert loaded_rows(stack, day) == 1
    assert len(stack.alerts("unknown_key")) == before
    recorded = stack.query(f"SELECT key FROM airlines.ingested_files WHERE key LIKE '%{day}%'")
    assert [row["key"] for row in recorded] == [FLIGHTS.key("flights.csv", day)]


def loaded_rows(stack: Any, day: date) -> int:
    (found,) = stack.query(
        f"SELECT COUNT(*) AS rows FROM airlines.daily_flights_processed WHERE flight_date = '{day}'"
    )
    return found["rows"]
