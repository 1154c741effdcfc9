"""A code version changes with each of its parts, and with nothing else."""

import pytest

from assets.code_version import code_version_of


@pytest.mark.parametrize(
    "other", [("SELECT 1", "15"), ("SELECT 2", "60"), ("SELECT 1",), ("SELECT 1", "6", "0")]
)
def test_another_part_is_another_version(other: tuple[str, ...]) -> None:
    assert code_version_of("SELECT 1", "60") != code_version_of(*other)


def test_the_same_parts_are_the_same_version_in_every_process_there_will_be() -> None:
    assert code_version_of("SELECT 1", "60") == "5036bdda78dc3d1c"


def test_text_that_moves_from_one_part_to_the_next_is_another_version() -> None:
    assert code_version_of("ab", "c") != code_version_of("a", "bc")
