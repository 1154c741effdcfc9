"""Expressions of GetPartitions, and what the gateway refuses to serve."""

import pytest
from botocore.exceptions import ClientError

from laptop.gateway import glue_action, ministack_environment, refused
from laptop.glue.api import matching

KEYS = [("date", "string"), ("hour", "int")]
ROWS = [["2024-01-01", "9"], ["2024-01-02", "10"], ["2024-02-01", "11"]]


@pytest.mark.parametrize(
    ("expression", "kept"),
    [
        ("date = '2024-01-02'", [1]),
        ("date >= '2024-01-02' AND date < '2024-02-01'", [1]),
        ("date <> '2024-01-01'", [1, 2]),
        ("date IN ('2024-01-01', '2024-02-01')", [0, 2]),
        ("date BETWEEN '2024-01-01' AND '2024-01-31'", [0, 1]),
        ("date LIKE '2024-01-%'", [0, 1]),
        ("hour > 9", [1, 2]),
        ("hour = 9 OR (date = '2024-02-01' AND NOT hour = 10)", [0, 2]),
        ("DATE = '2024-01-01'", [0]),
        ("date = 'it''s'", []),
    ],
)
def test_an_expression_keeps_the_partitions_it_describes(expression, kept):
    assert matching(expression, KEYS, ROWS) == kept


def test_an_expression_over_no_partitions_keeps_none():
    assert matching("date = '1'", KEYS, []) == []


@pytest.mark.parametrize(
    "expression",
    [
        "carrier = 'AA'",
        "date =",
        "date = '1'; DROP TABLE partitions",
        "date = (SELECT 'x')",
        "date IN (SELECT content FROM read_text('/etc/passwd'))",
        "upper(date) = 'X'",
        "hour = 'noon'",
    ],
)
def test_any_other_expression_is_invalid_input(expression):
    with pytest.raises(ClientError) as refusal:
        matching(expression, KEYS, ROWS)
    assert refusal.value.response["Error"]["Code"] == "InvalidInputException"


def test_requests_of_web_pages_and_to_dangerous_paths_are_refused():
    assert "https://x.example" in str(refused("/bucket", {b"origin": "https://x.example"}))
    assert refused("/_ministack/reset", {})
    assert refused("/_ministack/config/", {})
    assert refused("/bucket/_ministack/reset", {}) is None


def test_a_glue_call_is_known_by_its_target_header():
    assert glue_action({b"x-amz-target": "AWSGlue.StartCrawler"}) == "StartCrawler"
    assert glue_action({b"x-amz-target": "AmazonSQS.SendMessage"}) == ""
    assert glue_action({}) == ""


def test_ministack_listens_on_loopback_keeps_objects_and_never_sees_docker(tmp_path):
    environment = ministack_environment(4566, tmp_path, "us-east-1")
    assert environment["BIND_HOST"] == "127.0.0.1"
    assert (environment["S3_PERSIST"], environment["PERSIST_STATE"]) == ("1", "0")
    assert environment["DOCKER_HOST"] == f"unix://{tmp_path}/no-docker.sock"
