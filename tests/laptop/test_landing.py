"""The landing bucket: which of its objects are files of a day, and what the beginning of each one says."""

import gzip
from collections.abc import Iterator

import pytest

from airline_platform.feeds.airports import AIRPORTS
from airline_platform.feeds.bookings import BOOKINGS
from airline_platform.feeds.flights import FLIGHTS
from airline_platform.settings import get_settings
from resources.acceptance.verdicts import Refused
from resources.aws.client import make_client
from resources.landing import Landing, judged
from resources.warehouse.resource import Warehouse

FLIGHTS_CSV = f"{FLIGHTS.header}\nB6,12478,12892,4,5\n".encode()
AIRPORTS_CSV = f"{AIRPORTS.header}\n1,Newark,NJ,Newark Liberty\n"


def land(objects: dict[str, bytes]) -> Landing:
    landing = Landing.of(get_settings())
    for key, body in objects.items():
        make_client(get_settings(), "s3").put_object(Bucket=landing.bucket, Key=key, Body=body)
    return landing


def test_a_name_in_capitals_says_what_is_packed_and_markers_are_no_files(server: Warehouse) -> None:
    del server
    folder, packed = "daily_flights/date=2013-01-05/", gzip.compress(FLIGHTS_CSV)
    landing = land(
        {
            f"{folder}FLIGHTS.CSV.GZ": packed,
            f"{folder}Text.Csv.Gz": FLIGHTS_CSV,
            "daily_flights/2013-01-05.CSV": FLIGHTS_CSV,
            folder: b"",
            f"{folder}_SUCCESS": b"",
            f"{folder}~$flights.csv": b"",
        }
    )

    found = {it.key: it for it in landing.manifest(FLIGHTS, ["2013-01-05"])}

    assert list(found) == ["daily_flights/2013-01-05.CSV", f"{folder}FLIGHTS.CSV.GZ", f"{folder}Text.Csv.Gz"]
    refused = [it.refused for it in found.values()]
    assert refused[:2] == [None, None]
    assert "gzip" in (refused[2] or "")


def test_airports_in_capitals_are_unpacked(server: Warehouse) -> None:
    del server
    landing = land({"airport_codes/AIRPORTS.CSV.GZ": gzip.compress(AIRPORTS_CSV.encode())})

    (found,) = landing.manifest(AIRPORTS)

    assert found.refused is None
    assert (found.rows, found.columns) == (1, ("airport_id", "city", "state", "name"))


def test_whatever_a_file_raises_while_it_is_judged_is_its_own_verdict_and_not_s3s() -> None:
    def broken(error: Exception, first: bytes = FLIGHTS_CSV) -> Iterator[bytes]:
        yield first
        raise error

    found = judged(FLIGHTS, "daily_flights/2013-01-05.csv", broken(RuntimeError("nobody thought of it")), 100)
    assert isinstance(found, Refused)
    assert found.found == "it can't be read: RuntimeError: nobody thought of it"
    header = f"{BOOKINGS.header}\n".encode()
    told = judged(BOOKINGS, "bookings/2013-01-05.csv", broken(RuntimeError("Ada Lovelace"), header), 100)
    assert isinstance(told, Refused)
    assert told.found == "it can't be read: RuntimeError"
    with pytest.raises(ConnectionError):
        judged(FLIGHTS, "daily_flights/2013-01-05.csv", broken(ConnectionError("S3 is away")), 100)
