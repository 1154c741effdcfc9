"""The table of calls is about the calls that the code makes: no more, and no fewer."""

import ast
from collections.abc import Iterator
from pathlib import Path

import botocore.session
import pytest
from botocore import xform_name

from command.deploy.permissions.calls import Place, arn, iam_action
from command.deploy.permissions.ours import DEPLOYER, our_calls

REPOSITORY = Path(__file__).parents[5]
ROOMS = ("airline_platform", "assets", "resources", "sensors", "glue_jobs", "command")
OURS = list(our_calls())
SERVICES = sorted({call.service for call in OURS})
SESSION = botocore.session.Session()
OPERATIONS = {service: SESSION.get_service_model(service).operation_names for service in SERVICES}
METHODS = {xform_name(operation) for operations in OPERATIONS.values() for operation in operations}

BY_A_LIBRARY = {
    # dagster_aws.pipes: PipesS3ContextInjector, PipesS3MessageReader, and the context's loader in the job.
    ("resources/glue.py", "PutObject"),
    ("resources/glue.py", "DeleteObject"),
    ("resources/pipes.py", "GetObject"),
    ("glue_jobs/reporting.py", "GetObject"),
    ("glue_jobs/reporting.py", "PutObject"),
    # s3transfer: what `upload_file` makes of a large file, and of a small one.
    ("command/land.py", "PutObject"),
    ("command/land.py", "CreateMultipartUpload"),
    ("command/land.py", "UploadPart"),
    ("command/land.py", "CompleteMultipartUpload"),
    ("command/land.py", "AbortMultipartUpload"),
    # Spark.
    ("glue_jobs/runner.py", "ListObjectsV2"),
    ("glue_jobs/runner.py", "GetObject"),
    ("glue_jobs/runner.py", "HeadObject"),
    ("glue_jobs/runner.py", "PutObject"),
    ("glue_jobs/runner.py", "DeleteObject"),
}
"""Files in whose text no such call stands, because a library makes it."""

CALLED_ALIKE = {("resources/warehouse/outbox.py", "publish")}
"""A method of the platform's own, `Notifier.publish`."""

PREFLIGHT = REPOSITORY / "command" / "deploy" / "preflight"
"""It asks what it can, and a call that it may not make is a line of its table: no policy is to allow it."""


def called(tree: ast.AST) -> Iterator[str]:
    """Methods of boto3's clients that a module calls, or asks a paginator of."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        name = node.func.attr
        if name == "get_paginator":
            (of,) = node.args
            yield str(ast.literal_eval(of))
        elif name in METHODS:
            yield name


IN_THE_CODE = {
    (path.relative_to(REPOSITORY).as_posix(), method)
    for room in ROOMS
    for path in sorted((REPOSITORY / room).rglob("*.py"))
    if PREFLIGHT not in path.parents
    for method in called(ast.parse(path.read_text()))
} - CALLED_ALIKE


@pytest.mark.parametrize(("file", "method"), sorted(IN_THE_CODE))
def test_every_call_in_the_code_is_in_the_table(file: str, method: str) -> None:
    assert method in {xform_name(call.operation.partition(" ")[0]) for call in OURS if call.called_by == file}


def test_every_call_in_the_table_is_in_the_code() -> None:
    made = {(call.called_by, call.operation.partition(" ")[0]) for call in OURS}

    assert len(made) > 50
    assert {(file, it) for file, it in made if (file, xform_name(it)) not in IN_THE_CODE} == BY_A_LIBRARY


def test_a_deployment_has_every_call_of_the_modules_that_make_the_tables() -> None:
    made = {(call.called_by, xform_name(call.operation)) for call in OURS if call.actor == DEPLOYER}
    modules = ("resources/catalog.py", "resources/lake_days.py", "resources/warehouse/login.py")
    needed = {(file, method) for file, method in IN_THE_CODE if file in modules}

    # A deployment lists all days, and so asks for none of them.
    assert needed - made == {("resources/catalog.py", "batch_get_partition")}


def test_whoever_deploys_deletes_versions_and_reads_no_customer_key() -> None:
    asked = {
        (call.action, resource) for call in OURS if call.actor == DEPLOYER for resource in call.resources
    }

    assert ("DeleteObjectVersion", "airline-lake/*") in asked
    assert ("DeleteObject", "airline-lake/*") not in asked
    assert {action for action, resource in asked if "customer-key" in resource} == {"CreateSecret"}


def test_every_operation_is_one_of_botocores() -> None:
    assert [
        (call.service, call.operation)
        for call in OURS
        if call.operation.partition(" ")[0] not in OPERATIONS[call.service]
    ] == []


@pytest.mark.parametrize(
    ("service", "operation", "action"),
    [
        ("s3", "HeadObject", "GetObject"),
        ("s3", "GetObject", "GetObject"),
        ("s3", "GetObject VersionId", "GetObjectVersion"),
        ("s3", "DeleteObjects VersionId", "DeleteObjectVersion"),
        ("s3", "ListObjectVersions", "ListBucketVersions"),
        ("s3", "UploadPart", "PutObject"),
        ("sqs", "DeleteMessageBatch", "DeleteMessage"),
        ("glue", "BatchGetPartition", "BatchGetPartition"),
    ],
)
def test_an_operation_asks_for_its_own_action_or_for_the_one_aws_says(
    service: str, operation: str, action: str
) -> None:
    assert iam_action(service, operation) == action


@pytest.mark.parametrize(
    ("service", "resource", "expected"),
    [
        ("s3", "b/k", "arn:aws:s3:::b/k"),
        ("sts", "role/r", "arn:aws:iam::a:role/r"),
        ("sqs", "q", "arn:aws:sqs:r:a:q"),
        ("ec2", "*", "*"),
    ],
)
def test_a_resource_has_the_arn_of_its_service(service: str, resource: str, expected: str) -> None:
    assert arn(service, resource, Place("r", "a")) == expected
