"""The calls that the platform itself makes, but for those of a preflight, which says what it may not ask.

A test compares them with the code, and the stack tests compare them with what the laptop's gateway has seen.
"""

from collections.abc import Iterator

from airline_platform.feeds import FEEDS
from command.deploy.permissions.calls import NAME, Call, calls

LANDING, LAKE, AUDIT = f"{NAME}-landing", f"{NAME}-lake", f"{NAME}-audit"
EVENTS, DEAD, INBOX = f"{NAME}-landing-events", f"{NAME}-landing-events-dead", f"{NAME}-alerts-inbox"
DATABASE = ("catalog", f"database/{NAME}")
TABLES = (*DATABASE, f"table/{NAME}/*")
"""Glue asks about a table, its database and the catalog (Glue Developer Guide, "Specifying AWS Glue resource
ARNs")."""

TYPED = tuple(f"{LANDING}/{feed.typed_prefix}*" for feed in FEEDS.values() if feed.typed)

DAGSTER, JOB, DEPLOYER = "DagsterPolicy", "JobRole", "deployer"
"""Dagster's own role and the role of each run have the same policy. Whoever deploys has none of ours."""


def our_calls() -> Iterator[Call]:
    """Yield every call, actor by actor."""
    yield from _of_dagster()
    yield from _of_jobs()
    yield from _of_deployments()


def _of_dagster() -> Iterator[Call]:
    yield from _of_landing()
    yield from _of_lake()
    queue, accounts, inbox = "resources/queue.py", "resources/accounts.py", "resources/inbox.py"
    used = "GetQueueUrl, ReceiveMessage, SendMessageBatch, DeleteMessageBatch, ChangeMessageVisibilityBatch"
    yield from calls(DAGSTER, queue, "sqs", used, EVENTS)
    for each in (EVENTS, DEAD):
        yield from calls(DAGSTER, accounts, "sqs", "GetQueueUrl, GetQueueAttributes", each)
    yield from calls(DAGSTER, inbox, "sqs", "GetQueueUrl, ReceiveMessage, DeleteMessage", INBOX)
    yield from calls(DAGSTER, "resources/topic.py", "sns", "CreateTopic, Publish", f"{NAME}-alerts")
    yield from _of_glue()
    login = "resources/warehouse/login.py"
    yield from calls(DAGSTER, login, "secretsmanager", "GetSecretValue", f"secret:{NAME}/warehouse-*")
    yield from calls(DAGSTER, login, "redshift-serverless", "GetCredentials", "workgroup/*")
    yield from calls(DAGSTER, login, "redshift", "GetClusterCredentialsWithIAM", "dbname:*")
    session = {"sts:RoleSessionName": "7d1c3a52-4d2f-4c39-9f5e-0d3a7c0f1b11"}
    yield from calls(DAGSTER, "resources/aws/client.py", "sts", "AssumeRole", "role/RunRole", context=session)


def _of_landing() -> Iterator[Call]:
    files = f"{LANDING}/*"
    yield from calls(
        DAGSTER, "resources/landing.py", "s3", "GetObject, GetObject VersionId, HeadObject", files
    )
    yield from calls(DAGSTER, "resources/landing.py", "s3", "ListObjectsV2, ListObjectVersions", LANDING)
    for listing in ("resources/accounts.py", "resources/lake.py", "resources/lake_days.py"):
        yield from calls(DAGSTER, listing, "s3", "ListObjectsV2", LANDING)
    upload = "PutObject, CreateMultipartUpload, UploadPart, CompleteMultipartUpload, AbortMultipartUpload"
    yield from calls(DAGSTER, "command/land.py", "s3", upload, files)
    for typed in TYPED:
        yield from calls(DAGSTER, "resources/lake.py", "s3", "DeleteObjects", typed)


def _of_lake() -> Iterator[Call]:
    files = f"{LAKE}/*"
    lake = "resources/lake.py"
    yield from calls(DAGSTER, lake, "s3", "GetObject, PutObject, DeleteObjects", files)
    for listing in (lake, "resources/lake_days.py", "resources/inbox.py"):
        yield from calls(DAGSTER, listing, "s3", "ListObjectsV2", LAKE)
    yield from calls(DAGSTER, "resources/inbox.py", "s3", "GetObject, PutObject", f"{LAKE}/alerts/*")
    # Dagster Pipes: what a job is told, and what it reports.
    yield from calls(DAGSTER, "resources/glue.py", "s3", "PutObject, DeleteObject", f"{LAKE}/_tmp/pipes/*")
    yield from calls(DAGSTER, "resources/pipes.py", "s3", "GetObject", f"{LAKE}/_tmp/pipes/*")
    # On a laptop alone: its double of COPY.
    yield from calls(DAGSTER, "resources/warehouse/session.py", "s3", "GetObject", files)
    yield from calls(DAGSTER, "command/audit.py", "s3", "ListObjectsV2", AUDIT)
    yield from calls(DAGSTER, "command/audit.py", "s3", "GetObject", f"{AUDIT}/AWSLogs/*")


def _of_glue() -> Iterator[Call]:
    glue, catalog, days = "resources/glue.py", "resources/catalog.py", "resources/lake_days.py"
    tables = "GetTable, CreateTable, UpdateTable, DeleteTable, BatchGetPartition"
    yield from calls(DAGSTER, catalog, "glue", tables, *TABLES)
    yield from calls(DAGSTER, glue, "glue", "GetTable, BatchCreatePartition", *TABLES)
    placing = "GetPartitions, BatchCreatePartition, BatchUpdatePartition"
    yield from calls(DAGSTER, days, "glue", placing, *TABLES)
    yield from calls(DAGSTER, glue, "glue", "GetCrawler, StartCrawler", f"crawler/{NAME}-*")
    runs = "StartJobRun, GetJobRun, GetJobRuns, BatchStopJobRun"
    yield from calls(DAGSTER, glue, "glue", runs, f"job/{NAME}-*")
    group = f"log-group:/{NAME}/glue-jobs/*"
    yield from calls(DAGSTER, glue, "logs", "DescribeLogStreams", group)
    yield from calls(DAGSTER, glue, "logs", "GetLogEvents", f"{group}:log-stream:*")
    crawls = f"log-group:/aws-glue/crawlers:log-stream:{NAME}-*"
    yield from calls(DAGSTER, glue, "logs", "GetLogEvents", crawls)
    asked = "StartQueryExecution, GetQueryExecution, GetQueryResults, StopQueryExecution"
    yield from calls(DAGSTER, "resources/athena.py", "athena", asked, f"workgroup/{NAME}")


def _of_jobs() -> Iterator[Call]:
    # Spark's calls: on a laptop, those of the gateway, which stages what a job reads and writes.
    reads = "glue_jobs/runner.py"
    yield from calls(JOB, reads, "s3", "ListObjectsV2", LANDING)
    yield from calls(JOB, reads, "s3", "GetObject, HeadObject", f"{LANDING}/*")
    for typed in TYPED:
        yield from calls(JOB, reads, "s3", "PutObject, DeleteObject", typed)
    yield from calls(JOB, reads, "s3", "ListObjectsV2", LAKE)
    yield from calls(JOB, reads, "s3", "GetObject, HeadObject, PutObject, DeleteObject", f"{LAKE}/*")
    reports = "glue_jobs/reporting.py"
    yield from calls(JOB, reports, "s3", "GetObject, PutObject", f"{LAKE}/_tmp/pipes/*")
    key = f"secret:{NAME}/customer-key-*"
    yield from calls(JOB, "glue_jobs/program.py", "secretsmanager", "GetSecretValue", key)


def _of_deployments() -> Iterator[Call]:
    yield from _of_stacks()
    yield from _of_destructions()
    programs = "command/deploy/programs.py"
    yield from calls(DEPLOYER, programs, "s3", "ListObjectsV2", LAKE)
    yield from calls(DEPLOYER, programs, "s3", "PutObject", f"{LAKE}/glue_jobs/*")
    secrets = "command/deploy/secrets.py"
    stored = "GetSecretValue, PutSecretValue, CreateSecret"
    yield from calls(DEPLOYER, secrets, "secretsmanager", stored, f"secret:{NAME}/warehouse-*")
    # The key that is there is never read, and never changed.
    yield from calls(DEPLOYER, secrets, "secretsmanager", "CreateSecret", f"secret:{NAME}/customer-key-*")
    yield from _of_tables()
    warehouse = "command/deploy/warehouse.py"
    yield from calls(DEPLOYER, warehouse, "secretsmanager", "GetSecretValue", "secret:*")
    limits = "ListUsageLimits, CreateUsageLimit, UpdateUsageLimit"
    yield from calls(DEPLOYER, warehouse, "redshift-serverless", limits, "*")
    yield from calls(
        DEPLOYER, "command/deploy/deploy.py", "glue", "StartCrawler", f"crawler/{NAME}-warehouse"
    )


def _of_tables() -> Iterator[Call]:
    """What a deployment makes sure of by the modules that runs use: the catalog, the warehouse's tables."""
    catalog, days = "resources/catalog.py", "resources/lake_days.py"
    yield from calls(DEPLOYER, catalog, "glue", "GetTable, CreateTable, UpdateTable, DeleteTable", *TABLES)
    placing = "GetPartitions, BatchCreatePartition, BatchUpdatePartition"
    yield from calls(DEPLOYER, days, "glue", placing, *TABLES)
    for bucket in (LANDING, LAKE):
        yield from calls(DEPLOYER, days, "s3", "ListObjectsV2", bucket)
    lake = "resources/lake.py"
    yield from calls(DEPLOYER, lake, "s3", "ListObjectsV2", LAKE)
    yield from calls(DEPLOYER, lake, "s3", "GetObject", f"{LAKE}/manifests/*")
    login = "resources/warehouse/login.py"
    yield from calls(DEPLOYER, login, "secretsmanager", "GetSecretValue", f"secret:{NAME}/warehouse-*")
    yield from calls(DEPLOYER, login, "redshift-serverless", "GetCredentials", "workgroup/*")
    yield from calls(DEPLOYER, login, "redshift", "GetClusterCredentialsWithIAM", "dbname:*")


def _of_stacks() -> Iterator[Call]:
    stack = (
        "GetTemplateSummary, CreateChangeSet, DescribeChangeSet, ExecuteChangeSet, DeleteChangeSet, "
        "ContinueUpdateRollback, ListStackResources, DeleteStack"
    )
    yield from calls(DEPLOYER, "command/deploy/stack.py", "cloudformation", stack, "*")
    followed = "DescribeStacks, DescribeStackEvents"
    yield from calls(DEPLOYER, "command/deploy/stack_events.py", "cloudformation", followed, "*")
    for bucket in (LANDING, LAKE, AUDIT):
        yield from calls(DEPLOYER, "command/deploy/buckets.py", "s3", "HeadBucket", bucket)


def _of_destructions() -> Iterator[Call]:
    destroy, buckets = "command/deploy/destroy.py", "command/deploy/buckets.py"
    yield from calls(DEPLOYER, destroy, "cloudformation", "DeleteStack, ListStackResources", "*")
    yield from calls(DEPLOYER, destroy, "secretsmanager", "DescribeSecret", f"secret:{NAME}/*")
    yield from calls(DEPLOYER, buckets, "sts", "GetCallerIdentity", "*")
    for bucket in (LANDING, LAKE, AUDIT):
        yield from calls(DEPLOYER, buckets, "s3", "ListObjectVersions, DeleteBucket", bucket)
        yield from calls(DEPLOYER, buckets, "s3", "DeleteObjects VersionId", f"{bucket}/*")
