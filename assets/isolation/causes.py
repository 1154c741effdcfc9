"""Why a Glue job or a load has failed: through what it was given, or through what it runs on."""

import re

import psycopg2
from botocore.exceptions import BotoCoreError, ClientError

from airline_platform.errors import AirlineError, GlueJobFailed, LoadRefused
from assets.checks.outcomes import ChecksFailed
from assets.isolation.halving import Cause

LONGEST = 700
"""Characters of a job's words in a verdict, so that the whole of it has fewer than the ledger's 1,000."""

_BEGINS_AS = (
    # boto3 in the job itself, or in the laptop's engine: refused, throttled, not found.
    r"ClientError\b",
    r"An error occurred \([A-Za-z0-9.]+\) when calling the",
    # boto3 again: nobody answers, nobody is known.
    r"(?:\w+\.)*(?:EndpointConnection|ConnectTimeout|ReadTimeout|ConnectionClosed|HTTPClient|SSL)Error\b",
    r"(?:\w+\.)*(?:ProxyConnection|NoCredentials|PartialCredentials|CredentialRetrieval|NoRegion)Error\b",
    r"Could not connect to the endpoint URL",
    r"(?:Connect|Read) timeout on endpoint URL",
    r"Connection was closed before we received",
    r"Unable to locate credentials",
    # The machine: a disk that is full, a folder that was taken away.
    r"(?:OSError: )?\[Errno \d+\]",
    # The laptop's engine.
    r"The Spark worker (?:ended while starting|was not ready)",
    r"The Glue engine is stopping",
    r"The laptop's Glue engine failed",
    r"\S+ can't be read: ",
    r"AWS does not answer",
    # The deployed program.
    r"s3a?://\S+[.](?:py|zip) does not exist",
    r"(?:ModuleNotFoundError|ImportError|SyntaxError):",
    # Glue.
    r"LAUNCH ERROR",
    r"Resource Setup Error",
    r"(?:Job run failed because of an )?[Ii]nternal service error",
)
_MACHINERY = re.compile("|".join(_BEGINS_AS))
"""How the words of a failure begin that no file has caused. What follows the beginning may quote a file."""

_AWS_OF_SPARK = re.compile(
    r"\b(?:(?:com\.amazonaws|software\.amazon\.awssdk)\.\S*Exception"
    r"|java\.net\.(?:Connect|UnknownHost|SocketTimeout|NoRouteToHost)Exception)\b"
)
"""In Spark's words, what came of its own calls of AWS."""

_MACHINE_OF_SPARK = re.compile(
    r"\bjava\.(?:io|nio\.file)\.\w+: .{0,300}?\b(?:No space left on device|File too large|Disk quota exceeded"
    r"|Too many open files|Read-only file system|Input/output error|Cannot allocate memory)\b"
)
"""In Spark's words, what the machine's disk or kernel has refused: its own words (strerror), by Java."""

_DEATH = re.compile(
    r"The Spark process died"
    r"|Py4JNetworkError\b"
    r"|Py4JError: An error occurred while calling \S+$"
    r"|Connection(?:Refused|Reset)Error\b|BrokenPipeError\b"
    r"|Command failed with exit code"
)
"""How the words begin where the process or its JVM was not there any more."""

_DEATH_OF_EXECUTOR = re.compile(
    r"\b(?:ExecutorLostFailure|Lost executor|Container killed by YARN|SparkContext was shut down)\b"
)

_CLASS = re.compile(r"^(?:\w+\.)*[A-Z]\w*(?:Error|Exception)\b")
_JAVA_CLASS = re.compile(r"\b(?:[a-z][a-z0-9]*\.){2,}[A-Z]\w*(?:Exception|Error)\b")

_CATEGORY = re.compile(r"^(?:(?:Error Category|Failed Line Number|Spark Error Class): [^;]*;\s*)+")
"""With what Glue begins in an account."""

_SPARKS_OWN = re.compile(r"Py4J|org\.apache\.spark|java\.")
_QUOTED = re.compile(r"(['\"]).*?\1", re.DOTALL)

_LOAD_MACHINERY = re.compile(
    # S3, and Spectrum's way to it.
    r"S3ServiceException|specified key does not exist|[Cc]onnection failed|retries exceeded"
    r"|[Tt]imeout|timed out|thread_resource_error|Resource temporarily unavailable"
    # The cluster's disk and memory.
    r"|Disk Full|Insufficient system resources|[Oo]ut of [Mm]emory|No space left|Cannot allocate memory"
    # Other transactions, and who ended this one. A name or a value is no `Query (7) cancelled`.
    r"|[Ss]erializable isolation|Query \(\d+\) cancell?ed|cancell?ing (?:query|statement)"
    r"|transaction is aborted|read-only transaction|restarting|in (?:maintenance|recovery) mode"
)
"""What Redshift calls an internal error (XX000), and is none of the rows'.

Its codes 1016, `Disk Full`, and 15005 and 15001, `S3 Query Exception`, are in reports of others
(PostHog/posthog#47159, harrystech/arthur-redshift-etl#134); no account was at hand to fill.
"""


def cause_of_job_failure(error: Exception) -> Cause:
    """Say what may have made a Glue job fail.

    An exception's words may quote a file. So only their beginning tells of the machinery, and of Spark's own
    words what stands in no quotes. Where they say nothing of it, the input may be the cause.
    """
    if not isinstance(error, GlueJobFailed) or error.state != "FAILED":
        return "machinery"
    words = _CATEGORY.sub("", error.words.strip())
    of_spark = _QUOTED.sub("", words) if _SPARKS_OWN.match(words) else ""
    if any((_MACHINERY.match(words), _AWS_OF_SPARK.search(of_spark), _MACHINE_OF_SPARK.search(of_spark))):
        return "machinery"
    if not words or _DEATH.match(words) or _DEATH_OF_EXECUTOR.search(of_spark):
        return "death"
    return "input"


def cause_of_load_failure(error: Exception) -> Cause:
    """Say what may have made a load or a mart's query fail: the rows, or the warehouse, AWS, the network."""
    if isinstance(error, psycopg2.InternalError):
        return "machinery" if _LOAD_MACHINERY.search(str(error)) else "input"
    if isinstance(error, LoadRefused | psycopg2.DataError | psycopg2.IntegrityError):
        return "input"
    machinery = (AirlineError, psycopg2.Error, ClientError, BotoCoreError, OSError)
    return "machinery" if isinstance(error, machinery) else "input"


def job_words(error: Exception, *, personal: bool) -> str:
    """What a job has said of a failure, on one line.

    Args:
        error: The failure.
        personal: Whether the words may quote people: then only the classes of the exceptions are told.
    """
    words = error.words if isinstance(error, GlueJobFailed) else f"{type(error).__name__}: {error}"
    words = _CATEGORY.sub("", " ".join(words.split()))
    if personal:
        words = ", ".join(dict.fromkeys([*_CLASS.findall(words), *_JAVA_CLASS.findall(words)][:3]))
    return (words or "no reason that can be told")[:LONGEST]


def load_words(error: Exception, *, personal: bool) -> str:
    """What the warehouse or a check has said of a day it did not take, on one line.

    Args:
        error: The failure.
        personal: Whether the warehouse's words may quote people; a check's never do.
    """
    if isinstance(error, LoadRefused):
        found = error.found if isinstance(error, ChecksFailed) else error.args[0]
        return " ".join(f"{found}. {error.remedy}".split())[:LONGEST]
    words = "" if personal else " ".join(str(error).split())
    return f"the warehouse refused its rows: {type(error).__name__}{words and ': '}{words}"[:LONGEST]
