"""The calls that AWS makes by itself: with a role of the platform, or on a queue, topic, bucket or key of it.

No code of ours makes them, and no laptop: each stands by the page that asks for it, and by that alone.
"""

from collections.abc import Iterator

from airline_platform.feeds import FEEDS
from command.deploy.permissions.calls import NAME, Call, calls
from command.deploy.permissions.ours import (
    AUDIT,
    DAGSTER,
    DATABASE,
    DEAD,
    EVENTS,
    INBOX,
    JOB,
    LAKE,
    LANDING,
    TABLES,
    TYPED,
)
from resources.catalog import enriched_prefix
from resources.lake import run_scratch

DOCS = "https://docs.aws.amazon.com"
GLUE_ROLE = f"{DOCS}/aws-managed-policy/latest/reference/AWSGlueServiceRole.html"
ATHENA_POLICY = f"{DOCS}/aws-managed-policy/latest/reference/AmazonAthenaFullAccess.html"
ATHENA_CATALOG = f"{DOCS}/athena/latest/ug/fine-grained-access-to-glue-resources.html"
CRAWLER = f"{DOCS}/glue/latest/dg/crawler-prereqs.html"
CRAWLER_SECRET = f"{DOCS}/glue/latest/dg/connection-properties-secrets-manager.html"
GLUE_LOGS = f"{DOCS}/glue/latest/dg/monitor-continuous-logging.html"
S3A = "https://hadoop.apache.org/docs/stable/hadoop-aws/tools/hadoop-aws/assumed_roles.html"
COPY = f"{DOCS}/redshift/latest/dg/copy-usage_notes-access-permissions.html"
KMS_S3 = f"{DOCS}/AmazonS3/latest/userguide/UsingKMSEncryption.html"
KMS_SNS = f"{DOCS}/sns/latest/dg/sns-key-management.html"
KMS_LOGS = f"{DOCS}/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html"
KMS_POLICY = f"{DOCS}/kms/latest/developerguide/key-policy-default.html"
TRAIL = f"{DOCS}/awscloudtrail/latest/userguide/create-s3-bucket-policy-for-cloudtrail.html"
KMS_TRAIL = f"{DOCS}/awscloudtrail/latest/userguide/create-kms-key-policy-for-cloudtrail.html"
RULE = f"{DOCS}/eventbridge/latest/userguide/eb-use-resource-based.html"
TOPIC = f"{DOCS}/sns/latest/dg/subscribe-sqs-queue-to-sns-topic.html"
ALARM = f"{DOCS}/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html"
MULTIPART = f"{DOCS}/AmazonS3/latest/userguide/mpuoverview.html"
GLUE_TRUST = f"{DOCS}/glue/latest/dg/create-an-iam-role.html"
COPY_TRUST = f"{DOCS}/redshift/latest/mgmt/authorizing-redshift-service.html"

CRAWLERS, COPIES = "CrawlerRole", "CopyRole"
KEY = "key/Key"
TRAIL_ARN = f"arn:aws:cloudtrail:{{region}}:{{account}}:trail/{NAME}-trail"
"""Completed with the place where a call is made."""


def their_calls() -> Iterator[Call]:
    """Yield every call, actor by actor."""
    yield from _of_crawlers()
    yield from _of_jobs()
    yield from _of_athena()
    yield from _of_copy()
    yield from _of_keys()
    yield from _of_services()


def _of_crawlers() -> Iterator[Call]:
    by = "the crawler"
    yield from calls(CRAWLERS, by, "s3", "GetObject", f"{LANDING}/*", document=CRAWLER)
    for bucket in (LANDING, LAKE):
        yield from calls(CRAWLERS, by, "s3", "ListBucket, GetBucketLocation", bucket, document=GLUE_ROLE)
    for table in (feed.table.name for feed in FEEDS.values() if feed.typed):
        yield from calls(CRAWLERS, by, "s3", "GetObject", f"{LAKE}/{table}/*", document=CRAWLER)
    catalog = (
        "GetTable, GetTables, CreateTable, UpdateTable, GetPartition, GetPartitions, "
        "BatchGetPartition, BatchCreatePartition, CreatePartition, UpdatePartition, BatchUpdatePartition"
    )
    yield from calls(CRAWLERS, by, "glue", "GetDatabase", *DATABASE, document=GLUE_ROLE)
    yield from calls(CRAWLERS, by, "glue", catalog, *TABLES, document=GLUE_ROLE)
    group = "log-group:/aws-glue/crawlers"
    yield from calls(CRAWLERS, by, "logs", "CreateLogGroup, CreateLogStream", group, document=GLUE_ROLE)
    yield from calls(CRAWLERS, by, "logs", "PutLogEvents", f"{group}:log-stream:*", document=GLUE_ROLE)
    connection = ("catalog", f"connection/{NAME}-warehouse")
    yield from calls(CRAWLERS, by, "glue", "GetConnection", *connection, document=GLUE_ROLE)
    secret = f"secret:{NAME}/warehouse-*"
    asked = "GetSecretValue, DescribeSecret"
    yield from calls(CRAWLERS, by, "secretsmanager", asked, secret, document=CRAWLER_SECRET)
    network = (
        "CreateNetworkInterface, DeleteNetworkInterface, DescribeNetworkInterfaces, DescribeRouteTables, "
        "DescribeSecurityGroups, DescribeSubnets, DescribeVpcAttribute, DescribeVpcEndpoints"
    )
    yield from calls(CRAWLERS, by, "ec2", network, "*", document=GLUE_ROLE)
    tag = {"aws:TagKeys": "aws-glue-service-resource"}
    for tagged in ("network-interface/*", "security-group/*", "instance/*"):
        yield from calls(
            CRAWLERS, by, "ec2", "CreateTags, DeleteTags", tagged, document=GLUE_ROLE, context=tag
        )


def _of_jobs() -> Iterator[Call]:
    by = "Spark's S3A"
    for bucket in (LANDING, LAKE):
        asked = "ListBucketMultipartUploads, GetBucketLocation"
        yield from calls(JOB, by, "s3", asked, bucket, document=S3A)
    for written in (*TYPED, f"{LAKE}/*"):
        parts = "AbortMultipartUpload, ListMultipartUploadParts"
        yield from calls(JOB, by, "s3", parts, written, document=S3A)
    for group in (f"log-group:/{NAME}/glue-jobs/*", "log-group:/aws-glue/jobs/*"):
        yield from calls(JOB, "Glue", "logs", "CreateLogGroup, CreateLogStream", group, document=GLUE_LOGS)
        yield from calls(JOB, "Glue", "logs", "PutLogEvents", f"{group}:log-stream:*", document=GLUE_LOGS)
    namespace = {"cloudwatch:namespace": "Glue"}
    yield from calls(JOB, "Glue", "cloudwatch", "PutMetricData", "*", document=GLUE_ROLE, context=namespace)


def _of_athena() -> Iterator[Call]:
    """Athena asks S3 and the catalog with the rights of whoever has started the query."""
    by = "Athena"
    catalog = "GetTable, GetTables, GetPartition, GetPartitions, BatchGetPartition"
    yield from calls(DAGSTER, by, "glue", catalog, *TABLES, document=ATHENA_CATALOG)
    yield from calls(DAGSTER, by, "glue", "GetDatabase", *DATABASE, document=ATHENA_CATALOG)
    yield from calls(DAGSTER, by, "glue", "GetDatabase", "database/default", document=ATHENA_CATALOG)
    on_bucket = "GetBucketLocation, ListBucket, ListBucketMultipartUploads"
    yield from calls(DAGSTER, by, "s3", on_bucket, LAKE, document=ATHENA_POLICY)
    results = f"{LAKE}/athena-results/*"
    written = "GetObject, PutObject, AbortMultipartUpload, ListMultipartUploadParts"
    yield from calls(DAGSTER, by, "s3", written, results, document=ATHENA_POLICY)
    yield from calls(DAGSTER, "s3transfer", "s3", "AbortMultipartUpload", f"{LANDING}/*", document=MULTIPART)


def _of_copy() -> Iterator[Call]:
    by = "COPY"
    loaded = (f"{enriched_prefix(feed)}*" for feed in FEEDS.values() if feed.tables)
    for prefix in (run_scratch("*", "*.manifest"), *loaded):
        yield from calls(COPIES, by, "s3", "GetObject", f"{LAKE}/{prefix}", document=COPY)
        yield from calls(COPIES, by, "s3", "ListBucket", LAKE, document=COPY, context={"s3:prefix": prefix})
    yield from calls(COPIES, by, "s3", "GetBucketLocation", LAKE, document=COPY)
    alias = {"kms:ResourceAliases": f"alias/{NAME}", "kms:ViaService": "s3.{region}.amazonaws.com"}
    yield from calls(COPIES, by, "kms", "Decrypt", KEY, document=KMS_S3, context=alias)


def _of_keys() -> Iterator[Call]:
    for actor, asked in (
        (CRAWLERS, "Decrypt"), (JOB, "Decrypt, GenerateDataKey"), (DAGSTER, "Decrypt, GenerateDataKey"),
    ):  # fmt: skip
        yield from calls(actor, "S3, for whoever reads or writes", "kms", asked, KEY, document=KMS_S3)


def _of_services() -> Iterator[Call]:
    """What services do on the platform's own queues, topic, bucket and key, and the roles they take."""
    for role in (CRAWLERS, JOB):
        yield from calls(
            "glue.amazonaws.com", "Glue", "sts", "AssumeRole", f"role/{role}", document=GLUE_TRUST
        )
    for service in ("redshift-serverless", "redshift"):
        yield from calls(
            f"{service}.amazonaws.com", "COPY", "sts", "AssumeRole", f"role/{COPIES}", document=COPY_TRUST
        )
    rule = {"aws:SourceArn": f"arn:aws:events:{{region}}:{{account}}:rule/{NAME}-landing"}
    for queue in (EVENTS, DEAD):
        yield from calls(
            "events.amazonaws.com", "the rule", "sqs", "SendMessage", queue, document=RULE, context=rule
        )
    topic = {"aws:SourceArn": f"arn:aws:sns:{{region}}:{{account}}:{NAME}-alerts"}
    yield from calls(
        "sns.amazonaws.com", "the topic", "sqs", "SendMessage", INBOX, document=TOPIC, context=topic
    )
    mine = {"aws:SourceAccount": "{account}"}
    alarm, alerts = "cloudwatch.amazonaws.com", f"{NAME}-alerts"
    yield from calls(alarm, "alarms", "sns", "Publish", alerts, document=ALARM, context=mine)
    yield from calls(alarm, "alarms", "kms", "Decrypt, GenerateDataKey", KEY, document=KMS_SNS, context=mine)
    trail = {"aws:SourceArn": TRAIL_ARN}
    by = "cloudtrail.amazonaws.com"
    yield from calls(by, "the trail", "s3", "GetBucketAcl", AUDIT, document=TRAIL, context=trail)
    owned = {"s3:x-amz-acl": "bucket-owner-full-control"}
    logs = f"{AUDIT}/AWSLogs/{{account}}/*"
    yield from calls(by, "the trail", "s3", "PutObject", logs, document=TRAIL, context={**trail, **owned})
    yield from calls(
        by, "the trail", "kms", "GenerateDataKey, DescribeKey", KEY, document=KMS_TRAIL, context=trail
    )
    group = f"arn:aws:logs:{{region}}:{{account}}:log-group:/{NAME}/glue-jobs/output"
    logs_key = "Encrypt, Decrypt, ReEncryptFrom, GenerateDataKey, DescribeKey"
    context = {"kms:EncryptionContext:aws:logs:arn": group}
    yield from calls(
        "logs.{region}.amazonaws.com", "Logs", "kms", logs_key, KEY, document=KMS_LOGS, context=context
    )
    yield from calls("account", "the account's own policies", "kms", "*", KEY, document=KMS_POLICY)
