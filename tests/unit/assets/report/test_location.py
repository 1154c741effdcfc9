"""A report has an address that people can open, wherever the platform runs."""

import pytest

from airline_platform.settings import get_settings
from assets.report.location import report_link

pytestmark = pytest.mark.usefixtures("no_stack")

DAY = "2013-01-07"


def test_on_a_laptop_the_report_is_a_page_of_the_gateway(monkeypatch: pytest.MonkeyPatch) -> None:
    assert report_link(DAY) == f"s3://airline-lake/reports/delays/date={DAY}.html"

    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4566/")
    get_settings.cache_clear()
    assert report_link(DAY) == f"http://127.0.0.1:4566/airline-lake/reports/delays/date={DAY}.html"


def test_in_an_account_the_report_is_an_object_of_the_console(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRLINE_STAGE", "aws")
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    get_settings.cache_clear()

    assert report_link(DAY) == (
        "https://eu-central-1.console.aws.amazon.com/s3/object/airline-lake"
        f"?region=eu-central-1&prefix=reports/delays/date%3D{DAY}.html"
    )
