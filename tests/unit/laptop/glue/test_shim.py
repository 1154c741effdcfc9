"""The stand-in of Glue's own library, loaded by path as a worker does."""

import importlib.util

import pytest

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
    assert "other" not in options


def test_a_missing_option_is_an_argument_error(utils):
    with pytest.raises(utils.GlueArgumentError, match="--date"):
        utils.getResolvedOptions(["script.py"], ["date"])


def test_glues_own_options_cannot_be_asked_for(utils):
    with pytest.raises(RuntimeError, match="JOB_RUN_ID"):
        utils.getResolvedOptions(["script.py"], ["JOB_RUN_ID"])


def test_the_temporary_folder_is_optional_even_when_asked_for(utils):
    assert utils.getResolvedOptions(["script.py"], ["TempDir"])["TempDir"] is None
    given = utils.getResolvedOptions(["script.py", "--TempDir", "s3://b/t/"], ["TempDir"])
    assert given["TempDir"] == "s3://b/t/"
