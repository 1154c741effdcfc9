"""What decides how a Glue run is prepared and how it ends, without Spark or S3."""

import json
from pathlib import Path

import pytest

from laptop.glue.engine import JobRun, sql_options
from laptop.glue.staging import (
    ObjectUri,
    StagingError,
    literal_prefix,
    local_path,
    manifest_urls,
    split_arguments,
    uris_in,
)


def job_run(**request):
    return JobRun(
        {"Name": "flights", "DefaultArguments": {"--a": "job", "--b": "job"}, "Timeout": 5}, request
    )


def test_an_argument_of_the_run_replaces_the_jobs_and_a_fixed_one_replaces_both():
    run = job_run(Arguments={"--b": "run", "--c": "run"})
    run.job["NonOverridableArguments"] = {"--c": "fixed"}
    assert run.arguments() == {"--a": "job", "--b": "run", "--c": "fixed"}


def test_the_limit_is_the_runs_then_the_jobs_and_seconds_for_tests_win():
    assert job_run().limit_seconds() == 300
    assert job_run(Timeout=1).limit_seconds() == 60
    assert job_run(Arguments={"--airline-timeout-seconds": "0.5"}).limit_seconds() == 0.5


def test_a_final_state_is_never_left():
    run = job_run()
    run.move("FAILED", "ValueError: no")
    run.move("SUCCEEDED")
    assert (run.describe()["JobRunState"], run.describe()["ErrorMessage"]) == ("FAILED", "ValueError: no")
    assert run.describe()["CompletedOn"] >= run.describe()["StartedOn"]


def test_a_run_that_goes_on_has_no_end_and_no_error():
    assert {"CompletedOn", "ErrorMessage"}.isdisjoint(job_run().describe())


def test_only_sql_options_of_conf_are_applied():
    value = "spark.sql.shuffle.partitions=4 --conf spark.executor.memory=4g --conf spark.sql.x=a=b"
    assert sql_options(value) == {"spark.sql.shuffle.partitions": "4", "spark.sql.x": "a=b"}
    assert sql_options("") == {}


def test_arguments_named_output_or_rejects_are_written_and_the_rest_is_read():
    inputs, outputs = split_arguments(
        {
            "--input": "s3://landing/a b/",
            "--airports": "s3a://landing/airports.csv",
            "--output": "s3://lake/flights/",
            "--rejects-path": "s3://lake/rejects/",
            "--TempDir": "s3://lake/tmp/",
            "--extra-py-files": "s3://lake/x.zip",
            "--date": "2024-01-01",
        }
    )
    assert inputs == [ObjectUri("landing", "a b/"), ObjectUri("landing", "airports.csv")]
    assert outputs == [ObjectUri("lake", "flights/"), ObjectUri("lake", "rejects/")]


def test_a_comma_separates_uris_but_may_also_be_part_of_a_key():
    assert uris_in("s3://a/1, s3://b/2") == [ObjectUri("a", "1"), ObjectUri("b", "2")]
    assert uris_in("s3://a/1,2.csv") == [ObjectUri("a", "1,2.csv")]
    assert uris_in("see s3://a/1") == []


def test_a_manifest_lists_urls():
    body = json.dumps({"entries": [{"url": "s3://a/b c", "mandatory": True, "meta": {"content_length": 1}}]})
    assert manifest_urls(body.encode(), source="s3://a/m") == [ObjectUri("a", "b c")]


@pytest.mark.parametrize("body", [b"", b"[]", b'{"entries": [{}]}', b'{"entries": [{"url": "nowhere"}]}'])
def test_what_is_no_manifest_is_named(body):
    with pytest.raises(StagingError, match="s3://a/m is no manifest"):
        manifest_urls(body, source="s3://a/m")


@pytest.mark.parametrize(
    ("key", "prefix"),
    [("a/b/", "a/b/"), ("a/b*/c", "a/"), ("*.csv", ""), ("a/date={1,2}/x", "a/"), ("a/b", "a/b")],
)
def test_a_wildcard_brings_the_folder_before_it(key, prefix):
    assert literal_prefix(key) == prefix


def test_a_key_is_a_path_below_the_bucket():
    assert local_path("a b/date=1/ü+.csv") == Path("a b/date=1/ü+.csv")
    assert local_path("folder/") == Path("folder")


@pytest.mark.parametrize("key", ["../x", "a/../../x", "/etc/passwd", "a//b", "./a", "a\0b"])
def test_a_key_that_would_leave_its_bucket_is_refused(key):
    with pytest.raises(StagingError, match="can't be a path"):
        local_path(key)
