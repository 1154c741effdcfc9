"""The launcher that stands in for SPARK_HOME."""

import os
import subprocess

import pytest

from laptop.spark.jvm import OPTIONS_VARIABLE, SHARING_VARIABLE, SparkJvm


def test_the_launcher_is_executable_and_written_once(tmp_path):
    launcher = SparkJvm(tmp_path).home / "bin" / "spark-submit"
    written = launcher.stat().st_mtime_ns
    SparkJvm(tmp_path)
    assert os.access(launcher, os.X_OK)
    assert launcher.stat().st_mtime_ns == written


def test_options_of_ones_own_win_over_the_launchers(tmp_path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("laptop.spark.jvm.find_java", lambda: "/bin/echo")
    jvm = SparkJvm(tmp_path)

    own = {OPTIONS_VARIABLE: "-Xmx2g -XX:TieredStopAtLevel=1", SHARING_VARIABLE: "-Xshare:auto"}
    said = subprocess.run(
        [jvm.home / "bin" / "spark-submit"], env=own, capture_output=True, text=True, check=True
    )
    words = said.stdout.split()
    assert words.index("-Xmx2g") > words.index("-Xmx1g")
    assert "-XX:TieredStopAtLevel=1" in words


def test_the_class_archive_is_used_from_the_moment_it_is_there(tmp_path):
    jvm = SparkJvm(tmp_path)
    assert jvm.environment()[SHARING_VARIABLE] == "-Xshare:auto"
    jvm.archive.touch()
    assert jvm.environment()[SHARING_VARIABLE] == f"-XX:SharedArchiveFile={jvm.archive}"
