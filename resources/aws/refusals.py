"""What AWS refuses a person's command for, with the way out: a refusal is no defect, and no traceback."""

from boto3.exceptions import Boto3Error
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,  # noqa: A004 - botocore's own
    HTTPClientError,
    NoCredentialsError,
    SSOError,
    TokenRetrievalError,
)

from airline_platform.errors import AirlineError

SIGNED_OUT = (
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "RequestExpired",
    "UnrecognizedClientException",
)
"""Codes that services give for credentials that are not, or no longer, good (AWS General Reference, "Common
errors"; S3 API Reference, "Error responses")."""

DENIED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError")
"""Codes that services give for what the caller may not do."""

SIGN_IN = "Sign in again (`aws sso login`, a role), and see that AWS_PROFILE and AWS_REGION are meant."


def refusal(error: Exception) -> AirlineError | None:
    """Return what AWS has refused and what to do about it; None where the error is none of AWS's.

    boto3's own error of an upload carries what S3 said in its text alone.
    """
    if not isinstance(error, BotoCoreError | ClientError | Boto3Error):
        return None
    return AirlineError(f"AWS refuses: {' '.join(str(error).split())}", remedy=_remedy(error))


def _remedy(error: Exception) -> str:
    code = error.response["Error"].get("Code", "") if isinstance(error, ClientError) else ""
    if code in SIGNED_OUT or isinstance(error, SSOError | TokenRetrievalError | NoCredentialsError):
        return SIGN_IN
    if code in DENIED:
        return "Allow it to who calls: docs/permissions.md has every call, `airline preflight` asks for them."
    if isinstance(error, HTTPClientError | ConnectionError):
        return "Check the network and the AWS region, then call it again."
    return "Mend what AWS names, then call it again: it does only what is missing."
