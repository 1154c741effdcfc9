"""An alert fits its message and names its happening, whatever it says."""

import pytest

from resources.topic import Alert, describe_days


@pytest.mark.parametrize(
    ("days", "text"),
    [
        ([], ""),
        (["2013-01-01"], "2013-01-01"),
        (["2013-01-01", "2013-01-02", "2013-01-14"], "3 days 2013-01-01 to 2013-01-14"),
    ],
)
def test_days_are_told_in_words(days: list[str], text: str) -> None:
    assert describe_days(days) == text


def test_an_alert_never_outgrows_a_message() -> None:
    alert = Alert("refused", "Refused 10000 files", ["é" * 1000] * 1000)

    assert 59_990 < len(alert.message.encode()) <= 60_000


def test_alerts_about_the_same_happening_have_the_same_id_whatever_they_say() -> None:
    first, again, other = (
        Alert("loaded", subject, [], "flights", about=about)
        for subject, about in [
            ("took 3 s", ["run", "day"]),
            ("took 5 s", ["run", "day"]),
            ("x", ["run2", "day"]),
        ]
    )

    assert first.alert_id == again.alert_id != other.alert_id


def test_an_alert_can_be_stored_whatever_a_file_had_in_it() -> None:
    alert = Alert("refused", "x", ["a\0b", "half of a pair: \ud800"])

    assert "\0" not in alert.message
    assert alert.message.encode()
