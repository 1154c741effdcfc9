"""The alerts SNS delivered: messages of the inbox queue, kept in the lake so that everybody sees them."""

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from airline_platform.settings import Settings
from resources.aws.client import make_client, reaching

ARCHIVE = "alerts/"
READERS = 16


def read_alerts(settings: Settings) -> list[dict[str, Any]]:
    """Return every alert, newest first: `at`, `event`, `feed`, `run_id`, `subject`, `message`, `id`.

    Takes what waits in the inbox queue, keeps each message as an object in the lake under its alert's id (so
    an alert that comes twice is kept once), and only then deletes it from the queue.

    Raises:
        StackUnavailable: SQS or S3 does not answer.
    """
    with reaching(settings):
        _archive(settings)
        s3 = make_client(settings, "s3")
        keys = [f"{ARCHIVE}{alert_id}.json" for alert_id in archived_ids(settings)]

        def read(key: str) -> dict[str, Any]:
            body = s3.get_object(Bucket=settings.lake_bucket, Key=key)["Body"].read()
            alert: dict[str, Any] = json.loads(body)
            return alert

        with ThreadPoolExecutor(READERS) as pool:
            return sorted(pool.map(read, keys), key=lambda alert: alert["at"], reverse=True)


def archived_ids(settings: Settings) -> set[str]:
    """Return the ids of the alerts that are kept in the lake.

    Raises:
        StackUnavailable: S3 does not answer.
    """
    s3 = make_client(settings, "s3")
    with reaching(settings):
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=settings.lake_bucket, Prefix=ARCHIVE)
        keys = [item["Key"] for page in pages for item in page.get("Contents", ())]
    return {key.removeprefix(ARCHIVE).removesuffix(".json") for key in keys}


def _archive(settings: Settings) -> None:
    sqs, s3 = make_client(settings, "sqs"), make_client(settings, "s3")
    url = sqs.get_queue_url(QueueName=settings.alerts_inbox)["QueueUrl"]
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        for message in messages:
            alert = parse_delivery(message["Body"])
            s3.put_object(
                Bucket=settings.lake_bucket,
                Key=f"{ARCHIVE}{alert['id']}.json",
                Body=json.dumps(alert).encode(),
            )
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])


def parse_delivery(body: str) -> dict[str, Any]:
    """Read SNS's envelope around one message; a body without one is kept as it came, under its digest."""
    try:
        envelope = json.loads(body)
        envelope["MessageId"], envelope["Timestamp"], envelope["Message"]
    except (ValueError, KeyError, TypeError):
        digest = hashlib.sha256(body.encode()).hexdigest()[:16]
        envelope = {"MessageId": digest, "Timestamp": "", "Subject": "Not from SNS", "Message": body}
    attributes = {name: each["Value"] for name, each in envelope.get("MessageAttributes", {}).items()}
    return {
        "id": attributes.get("alert_id") or envelope["MessageId"],
        "at": envelope["Timestamp"],
        "event": attributes.get("event", ""),
        "feed": attributes.get("feed", ""),
        "run_id": attributes.get("run_id", ""),
        "subject": envelope.get("Subject", ""),
        "message": envelope["Message"],
    }
