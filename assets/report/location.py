"""Which feed's days have a report, and where the report of a day stands."""

from urllib.parse import quote

from airline_platform.feeds.flights import FLIGHTS
from airline_platform.settings import get_settings

REPORTED = FLIGHTS
"""The feed whose days have a report."""


def report_path(day: str) -> str:
    """Return where the delay report of an ISO day stands in the lake."""
    return f"reports/delays/date={day}.html"


def report_link(day: str) -> str:
    """Return the address of a day's delay report.

    On a laptop a browser shows it; in an account it is the object's page in the S3 console, where `Open`
    does. Where no laptop stack runs it is the `s3://` URI.
    """
    settings = get_settings()
    bucket, path = settings.lake_bucket, report_path(day)
    if settings.stage == "local":
        endpoint = settings.endpoint_url
        return f"{endpoint.rstrip('/')}/{bucket}/{path}" if endpoint else f"s3://{bucket}/{path}"
    where = f"https://{settings.region}.console.aws.amazon.com/s3/object/{bucket}"
    return f"{where}?region={settings.region}&prefix={quote(path)}"
