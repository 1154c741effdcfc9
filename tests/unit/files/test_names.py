"""What a file's name says of it, whatever its letters."""

import pytest

from airline_platform.files.names import ends_in, is_gzip


@pytest.mark.parametrize(
    ("name", "ends"),
    [
        ("a.csv", True),
        ("A.CSV", True),
        ("a.Csv.Gz", True),
        ("a.json", False),
        ("csv", False),
        ("a.c\u017fv", False),
    ],
)
def test_an_end_is_the_same_in_small_and_in_capital_letters(name: str, ends: bool) -> None:
    assert ends_in(name, (".csv", ".csv.gz")) is ends


@pytest.mark.parametrize(("key", "packed"), [("f/a.csv.gz", True), ("f/A.GZ", True), ("f.gz/a.csv", False)])
def test_a_compressed_file_says_so_at_its_end(key: str, packed: bool) -> None:
    assert is_gzip(key) is packed
