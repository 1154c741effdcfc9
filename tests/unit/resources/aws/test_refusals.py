"""A refusal of AWS says what to do; a defect of ours stays one."""

import pytest
from boto3.exceptions import S3UploadFailedError
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    NoCredentialsError,
    TokenRetrievalError,
    UnauthorizedSSOTokenError,
)

from resources.aws.refusals import refusal


def said(code: str, message: str = "no") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "DeleteStack")


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (said("ExpiredToken"), "Sign in again"),
        (UnauthorizedSSOTokenError(), "Sign in again"),
        (TokenRetrievalError(provider="sso", error_msg="x"), "Sign in again"),
        (NoCredentialsError(), "Sign in again"),
        (said("AccessDenied"), "docs/permissions.md"),
        (said("AccessDeniedException"), "docs/permissions.md"),
        (ConnectTimeoutError(endpoint_url="x"), "Check the network"),
        (said("ValidationError", "TerminationProtection is enabled"), "Mend what AWS names"),
        (said("InvalidChangeSetStatus"), "Mend what AWS names"),
        (said("InvalidRequestException", "scheduled for deletion"), "Mend what AWS names"),
        (S3UploadFailedError("Failed to upload"), "Mend what AWS names"),
    ],
    ids=lambda it: it if isinstance(it, str) else type(it).__name__,
)
def test_a_refusal_has_aws_own_words_in_one_line_and_a_way_out(error: Exception, remedy: str) -> None:
    found = refusal(error)

    assert found is not None
    assert str(found.args[0]) == f"AWS refuses: {error}"
    assert remedy in found.remedy


def test_what_is_no_refusal_of_aws_stays_what_it_is() -> None:
    assert refusal(KeyError("Stacks")) is None
