"""Airport files as the landing judges them, held in memory."""

from collections.abc import Mapping
from datetime import UTC, datetime

from airline_platform.feeds.airports import AIRPORTS
from airline_platform.files.names import is_gzip
from resources.acceptance.heads import judge
from resources.acceptance.verdicts import Refused
from resources.landing import LandedObject


class Bodies:
    """What `read_airports` needs of a landing: the body of each object."""

    def __init__(self, bodies: Mapping[str, bytes]) -> None:
        self.bodies = bodies

    def read(self, found: LandedObject) -> bytes:
        return self.bodies[found.key]


def judged(key: str, body: bytes) -> LandedObject | Refused:
    """An object with the verdict on it, or why it is refused."""
    found = judge(AIRPORTS, [body], len(body), gzipped=is_gzip(key))
    if isinstance(found, Refused):
        return found
    return LandedObject(
        bucket="landing",
        key=key,
        day=None,
        etag="e",
        size=len(body),
        landed_at=datetime(2013, 1, 1, tzinfo=UTC),
        header=found.header,
        columns=found.columns,
        first=found.first,
        rows=found.rows,
        reading=found.reading.as_json(),
    )
