"""The error a Glue call is answered with, in the shape in which boto3 itself raises it."""

from botocore.exceptions import ClientError


def glue_error(action: str, code: str, message: str) -> ClientError:
    """What boto3 raises when Glue refuses `action` with `code`, for example `EntityNotFoundException`."""
    return ClientError({"Error": {"Code": code, "Message": message}}, action)
