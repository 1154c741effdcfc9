"""The launcher that stands in for SPARK_HOME."""

import os

from laptop.spark.jvm import SHARING_VARIABLE, SparkJvm


def test_the_launcher_is_executable_and_written_once(tmp_path):
    launcher = SparkJvm(tmp_path).home / "bin" / "spark-submit"
    written = launcher.stat().st_mtime_ns
    SparkJvm(tmp_path)
    assert os.access(launcher, os.X_OK)
    assert launcher.stat().st_mtime_ns == written


def test_the_class_archive_is_used_from_the_moment_it_is_there(tmp_path):
    jvm = SparkJvm(tmp_path)
    assert jvm.environment()[SHARING_VARIABLE] == "-Xshare:auto"
    jvm.archive.touch()
    assert jvm.environment()[SHARING_VARIABLE] == f"-XX:SharedArchiveFile={jvm.archive}"
