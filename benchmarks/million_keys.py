"""An S3 that lists a million landed files without holding one, and counts who asks."""

import threading
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit
from xml.sax.saxutils import escape

from airline_platform.feeds.flights import FLIGHTS

KEYS = 1_000_000
FILES_A_DAY = 200
FIRST_DAY = date(2013, 1, 1)
PAGE = 1000
MODIFIED = datetime(2026, 1, 1, tzinfo=UTC)

LEDGER = f"""
INSERT INTO airlines.ingested_files
    (feed, partition_date, bucket, key, etag, size_bytes, rows_read, rows_loaded, rows_rejected, state,
     run_id, landed_at, loaded_at)
SELECT
    '{FLIGHTS.name}', day, 'landing', '{FLIGHTS.prefix}date=' || day || '/part-' || lpad(file::text, 3, '0') || '.csv',
    lpad(to_hex(number), 32, '0'), 1000, 20, 20, 0, 'loaded', 'bench', %(landed)s, %(landed)s
FROM (
    SELECT number, number %% {FILES_A_DAY} AS file, date '{FIRST_DAY}' + number / {FILES_A_DAY} AS day
    FROM generate_series(0, {KEYS - 1}) AS number
) AS landed
"""  # noqa: E501, S608 - our own constants
"""The verdicts on all of them: as PostgreSQL writes what `key_of` and `etag_of` say."""


def key_of(number: int) -> str:
    """The key of one of them; in their order, as S3 sorts."""
    day = FIRST_DAY + timedelta(days=number // FILES_A_DAY)
    return FLIGHTS.key(f"part-{number % FILES_A_DAY:03}.csv", day)


def etag_of(number: int) -> str:
    """Its entity tag."""
    return f"{number:032x}"


def listed(prefix: str, after: str, most: int) -> tuple[range, bool]:
    """What a call of ListObjectsV2 gives: numbers of keys, and whether there are more.

    Args:
        prefix: Of the keys.
        after: They follow this one.
        most: How many at most.
    """
    numbers = range(KEYS)
    first = max(bisect_left(numbers, prefix, key=key_of), bisect_right(numbers, after, key=key_of))
    end = bisect_left(numbers, f"{prefix}\U0010ffff", key=key_of)
    return range(first, max(first, min(first + most, end))), first + most < end


def page(prefix: str, after: str, most: int) -> str:
    """The answer, as S3 writes it."""
    numbers, more = listed(prefix, after, most)
    contents = "".join(
        f"<Contents><Key>{escape(key_of(number))}</Key><LastModified>{MODIFIED:%Y-%m-%dT%H:%M:%S}.000Z"
        f"</LastModified><ETag>&quot;{etag_of(number)}&quot;</ETag><Size>1000</Size>"
        "<StorageClass>STANDARD</StorageClass></Contents>"
        for number in numbers
    )
    token = f"<NextContinuationToken>{key_of(numbers[-1])}</NextContinuationToken>" if more else ""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        f"<Name>landing</Name><Prefix>{escape(prefix)}</Prefix><KeyCount>{len(numbers)}</KeyCount>"
        f"<MaxKeys>{most}</MaxKeys><IsTruncated>{'true' if more else 'false'}</IsTruncated>"
        f"{contents}{token}</ListBucketResult>"
    )


class Listing(ThreadingHTTPServer):
    """Answers ListObjectsV2 on a free port of this machine, and nothing else."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.calls = 0

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Listing

    def do_GET(self) -> None:
        self.server.calls += 1
        asked = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        after = asked.get("continuation-token") or asked.get("start-after", "")
        body = page(asked.get("prefix", ""), after, int(asked.get("max-keys", PAGE))).encode()
        self._answer(HTTPStatus.OK if asked.get("list-type") == "2" else HTTPStatus.NOT_IMPLEMENTED, body)

    def do_HEAD(self) -> None:
        self.server.calls += 1
        self._answer(HTTPStatus.OK, b"")

    def _answer(self, status: HTTPStatus, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name for it
        """Nobody reads it."""


@contextmanager
def million_keys() -> Iterator[Listing]:
    """It answers while the block runs."""
    with Listing() as server:
        thread = threading.Thread(target=server.serve_forever, name="million-keys", daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
