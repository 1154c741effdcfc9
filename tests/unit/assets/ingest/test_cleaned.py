"""Of typed rows those are left that no later one replaces; the others are counted as repeated."""

import pytest

from assets.ingest.cleaned import kept
from assets.ingest.handover import RowCount


@pytest.mark.parametrize(
    ("typed", "rows", "after"),
    [
        (RowCount(10, 8, 2), 8, RowCount(10, 8, 2, 0)),
        (RowCount(10, 8, 2), 5, RowCount(10, 5, 5, 3)),
        (RowCount(10, 8, 2), 0, RowCount(10, 0, 10, 8)),
        (RowCount(3, 0, 3), 0, RowCount(3, 0, 3, 0)),
    ],
)
def test_rows_that_a_newer_one_replaces_are_counted_as_repeated(
    typed: RowCount, rows: int, after: RowCount
) -> None:
    assert kept(typed, rows) == after
    assert after.read == after.loaded + after.rejected
