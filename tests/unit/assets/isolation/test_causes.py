"""A file is blamed for what a file can do, and for nothing else; people are quoted in no verdict."""

import psycopg2
import psycopg2.errors
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from airline_platform.errors import GlueJobFailed, InputReplaced, LoadRefused, StackUnavailable
from assets.checks.outcomes import ChecksFailed, outcome_of
from assets.isolation.causes import (
    LONGEST,
    cause_of_job_failure,
    cause_of_load_failure,
    job_words,
    load_words,
)
from assets.isolation.halving import Cause
from assets.marts.sums import SUMS_MATCH


def failed(words: str, state: str = "FAILED") -> GlueJobFailed:
    return GlueJobFailed("Glue job failed", remedy="Mend it.", state=state, words=words)


SAVE = "Py4JJavaError: An error occurred while calling o71.save. "
STAGE = (
    "org.apache.spark.SparkException: Job aborted due to stage failure: Task 0 in stage 1.0 failed 4 times, "
    "most recent failure: "
)

INPUT = [
    "ValueError: the carrier ZZZ is poison",
    "RuntimeError: expected rows, and rows read = loaded + rejected, in every file: [...]",
    f"{SAVE}org.apache.spark.SparkUpgradeException: [INCONSISTENT_BEHAVIOR.WRITE_ANCIENT_DATETIME]",
    f"{SAVE}java.lang.IllegalArgumentException: URLDecoder: Illegal hex characters in escape (%) pattern",
    f"{SAVE}java.lang.OutOfMemoryError: Java heap space",
    "Error Category: UNCLASSIFIED_ERROR; Failed Line Number: 30; ValueError: the carrier ZZZ is poison",
    "AnalysisException: [PATH_NOT_FOUND] Path does not exist: s3://airline-landing/daily_flights/a.csv.",
    "s3://airline-landing/daily_flights/2013-01-01.csv does not exist",
    "The job wrote s3://lake/enriched/date=+10000-01-01/x, which is in none of its partitions.",
    # What a file says is not what the platform says.
    "ValueError: carrier is 'ClientError: An error occurred (AccessDenied) when calling the GetObject'",
    f'{SAVE}org.apache.spark.SparkException: bad value "java.net.ConnectException: Connection refused"',
    f"{SAVE}org.apache.spark.SparkException: bad value 'ExecutorLostFailure'",
    f"{SAVE}org.apache.spark.SparkException: bad value 'java.io.IOException: No space left on device'",
    f"{SAVE}java.io.EOFException: Unexpected end of input stream",
]
MACHINERY = [
    "ClientError: An error occurred (AccessDeniedException) when calling the GetSecretValue operation: no",
    "ClientError: An error occurred (ThrottlingException) when calling the GetSecretValue operation",
    "An error occurred (ResourceNotFoundException) when calling the GetSecretValue operation",
    "Error Category: PERMISSION_ERROR; ClientError: An error occurred (AccessDenied) when calling",
    "botocore.exceptions.EndpointConnectionError: Could not connect to the endpoint URL",
    "EndpointConnectionError: Could not connect to the endpoint URL: http://127.0.0.1:1/",
    'Could not connect to the endpoint URL: "http://127.0.0.1:1/"',
    "ReadTimeoutError: Read timeout on endpoint URL",
    "NoCredentialsError: Unable to locate credentials",
    "[Errno 28] No space left on device",
    "OSError: [Errno 28] No space left on device",
    "The Spark worker ended while starting. Error: no Java",
    "The laptop's Glue engine failed: KeyError('x')",
    "s3://airline-landing/a.csv can't be read: An error occurred (500) when calling the GetObject",
    "s3://airline-lake/glue_jobs/flights_job.py does not exist",
    "ModuleNotFoundError: No module named 'glue_jobs.program'",
    "LAUNCH ERROR | File Not Found",
    f"{SAVE}com.amazonaws.services.s3.model.AmazonS3Exception: Access Denied (Service: Amazon S3)",
    f"{SAVE}software.amazon.awssdk.services.s3.model.S3Exception: Slow Down",
    f"{SAVE}java.net.UnknownHostException: s3.amazonaws.com",
    f"{SAVE}java.io.IOException: No space left on device",
    f"{SAVE}java.io.IOException: File too large",
    f"{SAVE}java.nio.file.FileSystemException: /tmp/blockmgr-7/0c: Too many open files",
    f"{SAVE}java.io.FileNotFoundException: /tmp/blockmgr-7/0c (Read-only file system)",
]
DEATH = [
    "",
    "The Spark process died while it ran the job: killed, or out of memory.",
    "Py4JNetworkError: Answer from Java side is empty",
    "Py4JError: An error occurred while calling o71.save",
    "ConnectionRefusedError: [Errno 111] Connection refused",
    "Command failed with exit code 137",
    f"{SAVE}{STAGE}ExecutorLostFailure (executor 1 exited caused by one of the running tasks)",
]


@pytest.mark.parametrize(
    ("words", "cause"),
    [
        *((words, "input") for words in INPUT),
        *((words, "machinery") for words in MACHINERY),
        *((words, "death") for words in DEATH),
    ],
)
def test_the_words_of_a_job_tell_whose_fault_it_may_be(words: str, cause: Cause) -> None:
    assert cause_of_job_failure(failed(words)) == cause


@pytest.mark.parametrize("state", ["TIMEOUT", "STOPPED", "EXPIRED", "ERROR", ""])
def test_a_job_that_did_not_fail_by_itself_is_no_files_fault(state: str) -> None:
    assert cause_of_job_failure(failed("ValueError: x", state)) == "machinery"


@pytest.mark.parametrize("error", [StackUnavailable("gone", remedy="Start it."), KeyError("files")])
def test_what_is_no_failure_of_a_job_is_no_files_fault(error: Exception) -> None:
    assert cause_of_job_failure(error) == "machinery"


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (psycopg2.errors.NumericValueOutOfRange("numeric field overflow"), "input"),
        (psycopg2.errors.NotNullViolation("null value"), "input"),
        (psycopg2.InternalError("Load into table 'staging' failed. Check 'sys_load_error_detail'"), "input"),
        (psycopg2.InternalError("Spectrum Scan Error: incompatible Parquet schema for 'cancelled'"), "input"),
        (LoadRefused("the rows differ", remedy="Again."), "input"),
        (
            ChecksFailed("carrier_daily_delays", [outcome_of(SUMS_MATCH, {"": ({"a": 1}, {"a": 2})})]),
            "input",
        ),
        (OverflowError("int too big to convert"), "input"),
        (psycopg2.InternalError("S3ServiceException:The specified key does not exist."), "machinery"),
        (psycopg2.InternalError("1023 DETAIL: Serializable isolation violation on table"), "machinery"),
        (psycopg2.errors.InternalError_("Insufficient system resources: Disk Full"), "machinery"),
        (psycopg2.errors.InternalError_("Disk Full\nDETAIL: code: 1016 context: node: 3"), "machinery"),
        (psycopg2.errors.InternalError_("Out of Memory\nDETAIL: code: 1004"), "machinery"),
        (
            psycopg2.errors.InternalError_("S3Query Exception Connection failed, retries exceeded."),
            "machinery",
        ),
        (psycopg2.errors.InternalError_("boost::thread_resource_error: Resource temporarily"), "machinery"),
        (psycopg2.errors.InternalError_("Query (150) cancelled by WLM abort action"), "machinery"),
        (psycopg2.errors.ReadOnlySqlTransaction("cannot execute in a read-only transaction"), "machinery"),
        (psycopg2.OperationalError("server closed the connection unexpectedly"), "machinery"),
        (psycopg2.errors.QueryCanceled("canceling statement due to statement timeout"), "machinery"),
        (psycopg2.errors.UndefinedColumn("column does not exist"), "machinery"),
        (StackUnavailable("gone", remedy="Start it."), "machinery"),
        (InputReplaced("the rows staged differ", remedy="Nothing."), "machinery"),
        (ClientError({"Error": {"Code": "NoSuchKey", "Message": "gone"}}, "GetObject"), "machinery"),
        (EndpointConnectionError(endpoint_url="http://127.0.0.1:1"), "machinery"),
        (ConnectionResetError("reset"), "machinery"),
    ],
)
def test_a_load_fails_through_its_rows_or_through_the_warehouse(error: Exception, cause: Cause) -> None:
    assert cause_of_load_failure(error) == cause


def test_a_verdict_quotes_the_job_on_one_line() -> None:
    told = job_words(failed("ValueError: the carrier\n  ZZZ is\tpoison"), personal=False)

    assert told == "ValueError: the carrier ZZZ is poison"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("ValueError: Ann Lee, ann@example.org", "ValueError"),
        ("Error Category: UNCLASSIFIED_ERROR; ValueError: Ann Lee", "ValueError"),
        (f"{SAVE}java.lang.IllegalStateException: Ann Lee", "Py4JJavaError, java.lang.IllegalStateException"),
        ("Ann Lee is unknown", "no reason that can be told"),
    ],
)
def test_a_verdict_on_a_file_about_people_names_exceptions_only(words: str, told: str) -> None:
    assert job_words(failed(words), personal=True) == told


def test_no_verdict_is_longer_than_the_ledger_takes() -> None:
    assert len(job_words(failed("ValueError: " + "x" * 5000), personal=False)) == LONGEST


def test_what_the_warehouse_says_of_people_is_not_told() -> None:
    error = psycopg2.DataError('invalid input syntax: "Ann Lee"')

    assert load_words(error, personal=True) == "the warehouse refused its rows: DataError"
    assert load_words(error, personal=False).endswith('DataError: invalid input syntax: "Ann Lee"')


def test_what_a_blocking_check_has_found_is_told_of_a_day_about_people_too() -> None:
    error = ChecksFailed("bookings_daily", [outcome_of(SUMS_MATCH, {"": ({"a": 1}, {"a": 2})})])

    assert load_words(error, personal=True) == (
        f"the check sums_match: found a 1, expected a 2. {SUMS_MATCH.remedy}"
    )


def test_what_a_check_says_is_told_with_its_remedy() -> None:
    assert (
        load_words(LoadRefused("the rows\ndiffer", remedy="Again."), personal=True)
        == "the rows differ. Again."
    )
