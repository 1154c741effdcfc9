"""Times in AWS's answers are those botocore would read, whatever way they are written."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.utils import parse_timestamp
from hypothesis import given
from hypothesis import strategies as st

from airline_platform.settings import Settings
from resources.aws.client import _client, make_client, parse_moment

EARLY = datetime(1980, 1, 1, tzinfo=UTC)
MOMENTS = st.integers(0, 2**32).map(lambda n: EARLY + n * timedelta(seconds=0.807))
LISTING = b"""<?xml version="1.0"?><ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>k</Key>
<LastModified>2013-01-02T03:04:05.000Z</LastModified><ETag>e</ETag><Size>1</Size></Contents>
</ListBucketResult>"""


@given(MOMENTS)
def test_a_time_is_the_one_botocore_reads(moment: datetime) -> None:
    for text in (
        f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}Z",
        f"{moment:%Y-%m-%dT%H:%M:%SZ}",
        moment.isoformat(),
        moment.replace(tzinfo=None).isoformat(),
        format_datetime(moment.replace(microsecond=0), usegmt=True),
        moment.timestamp(),
        str(int(moment.timestamp())),
    ):
        found, expected = parse_moment(text), parse_timestamp(text)
        assert (found, found.utcoffset()) == (expected, expected.utcoffset())


@pytest.mark.parametrize("text", ["", "2013", "2013-13-01T00:00:00Z", "20130101T000000Z", "1712121200"])
def test_what_botocore_refuses_or_reads_otherwise_is_left_to_it(text: str) -> None:
    def read(by: Any) -> Any:
        try:
            return by(text)
        except ValueError as error:
            return type(error)

    assert read(parse_moment) == read(parse_timestamp)


class Raw:
    """The body of an answer."""

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield LISTING


def test_the_clients_read_times_so(no_stack: Settings) -> None:
    settings = no_stack.model_copy(update={"endpoint_url": "http://127.0.0.1:9"})
    _client.cache_clear()
    s3 = make_client(settings, "s3")
    s3.meta.events.register("before-send", lambda request, **_: AWSResponse(request.url, 200, {}, Raw()))

    (item,) = s3.list_objects_v2(Bucket="b")["Contents"]

    assert item["LastModified"] == datetime(2013, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert item["LastModified"].tzinfo is UTC, "botocore's own way gives another"
    _client.cache_clear()
