"""The launcher that stands in for SPARK_HOME."""

import os

from laptop.spark.jvm import COMPILER_VARIABLE, QUICK, SHARING_VARIABLE, THOROUGH, SparkJvm


def test_the_launcher_is_executable_and_written_once(tmp_path):
    launcher = SparkJvm(tmp_path).home / "bin" / "spark-submit"
    written = launcher.stat().st_mtime_ns
    SparkJvm(tmp_path)
    assert os.access(launcher, os.X_OK)
    assert launcher.stat().st_mtime_ns == written


def test_the_compiler_and_the_archive_come_by_the_environment_and_share_a_launcher(tmp_path):
    jvm = SparkJvm(tmp_path)
    found = {jvm.environment(compiler)[COMPILER_VARIABLE] for compiler in (QUICK, THOROUGH)}
    assert found == {QUICK, THOROUGH}
    assert f'"${COMPILER_VARIABLE}" "${SHARING_VARIABLE}"' in (jvm.home / "bin" / "spark-submit").read_text()


def test_the_class_archive_is_used_from_the_moment_it_is_there(tmp_path):
    jvm = SparkJvm(tmp_path)
    assert jvm.environment()[SHARING_VARIABLE] == "-Xshare:auto"
    jvm.archive.touch()
    assert jvm.environment()[SHARING_VARIABLE] == f"-XX:SharedArchiveFile={jvm.archive}"
