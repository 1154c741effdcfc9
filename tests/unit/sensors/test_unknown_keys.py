"""Keys that no feed claims are in one alert with what to do; what the ledger can't store is in no ledger."""

import pytest

from airline_platform.files.keys import UnknownKey
from resources.queue import LandingEvent
from sensors.unknown_keys import KEYS_LISTED, LONGEST_ETAG, LONGEST_KEY, is_storable, unknown_alert


def landing(key: str | None, etag: str = "e1") -> tuple[LandingEvent, UnknownKey]:
    return LandingEvent(key, etag), UnknownKey(key or "some text", "no feed lands here")


def test_the_alert_names_each_key_with_its_reason_and_what_to_do() -> None:
    alert = unknown_alert([landing("reports/q1.pdf"), landing("x\n.csv")])

    assert (alert.event, alert.subject) == ("unknown_key", "2 landed key(s) belong to no feed")
    assert "reports/q1.pdf: no feed lands here" in alert.message
    assert "'x\\n.csv': no feed lands here" in alert.message
    assert "What to do: move the file" in alert.message


def test_of_very_many_keys_the_alert_lists_the_first_and_counts_all() -> None:
    alert = unknown_alert([landing(f"{number}.pdf") for number in range(KEYS_LISTED + 7)])

    assert alert.subject.startswith(f"{KEYS_LISTED + 7} ")
    assert alert.message.count("no feed lands here") == KEYS_LISTED


def test_the_same_keys_in_another_order_are_the_same_alert_and_another_version_is_not() -> None:
    one = unknown_alert([landing("a"), landing("b")])

    assert one.alert_id == unknown_alert([landing("b"), landing("a")]).alert_id
    assert one.alert_id != unknown_alert([landing("a"), landing("b", "e2")]).alert_id


@pytest.mark.parametrize(
    ("key", "etag", "storable"),
    [
        ("é" * (LONGEST_KEY // 2), "e" * LONGEST_ETAG, True),
        ("é" * (LONGEST_KEY // 2) + "e", "e1", False),
        ("a", "e" * (LONGEST_ETAG + 1), False),
        ("a\0b", "e1", False),
        ("half of a pair: \ud800", "e1", False),
        (None, "e1", False),
    ],
)
def test_what_cannot_come_from_s3_is_in_no_ledger(key: str | None, etag: str, storable: bool) -> None:
    assert is_storable(*landing(key, etag)) is storable
