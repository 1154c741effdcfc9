"""A landed object survives its trip through a document, and what is listed for days is these days'."""

import io
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.response import StreamingBody
from botocore.stub import Stubber
from hypothesis import given
from hypothesis import strategies as st

from airline_platform.feeds.flights import FLIGHTS
from airline_platform.settings import Settings
from resources.acceptance.landed import LandedObject
from resources.landing import Landing, shared_prefix, spans

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
LANDED = st.builds(
    LandedObject,
    bucket=TEXTS,
    key=TEXTS,
    day=st.none() | st.dates().map(str),
    etag=TEXTS,
    size=st.integers(0),
    landed_at=st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=-5))])),
    version_id=st.none() | TEXTS,
    header=st.none() | TEXTS,
    columns=st.lists(TEXTS, max_size=5).map(tuple),
    refused=st.none() | TEXTS,
)


@given(LANDED)
def test_any_landed_object_comes_back_from_json_as_it_went(found: LandedObject) -> None:
    assert LandedObject.from_json(json.loads(json.dumps(found.as_json()))) == found


def test_the_keys_of_a_range_lie_between_its_spans_in_both_layouts() -> None:
    keys = ["2013-01-02.csv", "2013-01-03.csv.gz", "date=2013-01-02/a.csv", "date=2013-01-03/z.csv"]
    beside = ["2013-01-01.csv", "2013-01-04.csv", "date=2013-01-01/a.csv", "date=2013-01-04/a.csv"]
    found = spans(FLIGHTS, ["2013-01-02", "2013-01-03"])

    def inside(key: str) -> bool:
        return any(first < FLIGHTS.prefix + key <= last for first, last in found)

    assert [key for key in keys + beside if inside(key)] == keys


def test_what_is_listed_for_a_day_is_that_days_alone() -> None:
    listed = [shared_prefix(first, last) for first, last in spans(FLIGHTS, ["2013-01-02"])]

    assert listed == ["daily_flights/2013-01-02", "daily_flights/date=2013-01-02"]
    assert [shared_prefix(first, last) for first, last in spans(FLIGHTS, ())] == ["daily_flights/"]


@given(st.lists(st.text("ab/", max_size=6), min_size=3, max_size=3))
def test_no_key_between_two_is_listed_elsewhere(keys: list[str]) -> None:
    first, key, last = sorted(keys)

    assert key.startswith(shared_prefix(first, last))


# --- what S3 does not hand over

KEYS = [FLIGHTS.key(name, date(2013, 1, 2)) for name in ("a.csv", "b.csv")]
AT = datetime(2013, 1, 3, tzinfo=UTC)


class Answers:
    """An S3 client whose GetObject and ListObjectVersions are botocore's own, stubbed; one for each key."""

    def __init__(self, codes: Mapping[str, str]) -> None:
        self.codes = codes

    def client(self) -> Any:
        return self

    def get_paginator(self, _: str) -> Any:
        pages = [{"Contents": [{"Key": key} for key in KEYS]}]
        return SimpleNamespace(paginate=lambda Prefix, **_: pages if KEYS[0].startswith(Prefix) else [])  # noqa: N803

    def get_object(self, **given: str) -> Any:
        with stubbed() as (s3, stub):
            if code := self.codes.get(given["Key"]):
                stub.add_client_error("get_object", code, http_status_code=403)
            else:
                body = (FLIGHTS.header + "\n").encode()
                answer = {"ETag": '"e"', "ContentLength": len(body), "LastModified": AT, "VersionId": "v"}
                stub.add_response(
                    "get_object", {**answer, "Body": StreamingBody(io.BytesIO(body), len(body))}, given
                )
            return s3.get_object(**given)

    def list_object_versions(self, **given: str) -> Any:
        with stubbed() as (s3, stub):
            item = {"Key": given["Prefix"], "ETag": '"e2"', "Size": 7, "LastModified": AT, "VersionId": "v2"}
            stub.add_response("list_object_versions", {"Versions": [{**item, "IsLatest": True}]}, given)
            return s3.list_object_versions(**given)


@contextmanager
def stubbed() -> Iterator[tuple[Any, Stubber]]:
    s3: Any = boto3.client("s3", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
    with Stubber(s3) as stub:
        yield s3, stub


def manifest(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, codes: Mapping[str, str]
) -> list[LandedObject]:
    monkeypatch.setattr(Landing, "client", lambda _: Answers(codes))
    return Landing.of(settings).manifest(FLIGHTS, ["2013-01-02"])


@pytest.mark.parametrize("code", ["InvalidObjectState", "AccessDenied", "KMS.DisabledException"])
def test_an_object_that_s3_does_not_hand_over_is_refused_and_stops_no_other(
    monkeypatch: pytest.MonkeyPatch, no_stack: Settings, code: str
) -> None:
    good, withheld = manifest(monkeypatch, no_stack, {KEYS[1]: code})

    assert (good.key, good.version_id) == (KEYS[0], "v")
    assert (withheld.key, withheld.day, withheld.etag, withheld.size, withheld.version_id) == (
        KEYS[1],
        "2013-01-02",
        "e2",
        7,
        "v2",
    )
    assert (withheld.refused or "").startswith("S3 does not hand it over: ")
    assert (withheld.refused or "").endswith("; then run its day again")


def test_an_archived_object_is_refused_also_where_no_other_one_is_there(
    monkeypatch: pytest.MonkeyPatch, no_stack: Settings
) -> None:
    found = manifest(monkeypatch, no_stack, dict.fromkeys(KEYS, "InvalidObjectState"))

    assert all("it is archived" in (it.refused or "") for it in found)


@pytest.mark.parametrize(
    "codes",
    [
        dict.fromkeys(KEYS, "AccessDenied"),
        dict.fromkeys(KEYS, "KMS.NotFoundException"),
        {KEYS[1]: "KMS.ThrottlingException"},
        {KEYS[1]: "NoSuchBucket"},
    ],
)
def test_where_nothing_can_be_read_or_s3_fails_no_file_is_to_blame(
    monkeypatch: pytest.MonkeyPatch, no_stack: Settings, codes: Mapping[str, str]
) -> None:
    with pytest.raises(ClientError):
        manifest(monkeypatch, no_stack, codes)
