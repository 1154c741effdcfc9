"""What goes wrong with Glue on a laptop."""

from botocore.exceptions import ClientError


class CrawlError(Exception):
    """A target can't be crawled; the message becomes `LastCrawl.ErrorMessage`."""


def glue_error(action: str, code: str, message: str) -> ClientError:
    """What boto3 raises when Glue refuses `action` with `code`, for example `EntityNotFoundException`."""
    return ClientError({"Error": {"Code": code, "Message": message}}, action)
