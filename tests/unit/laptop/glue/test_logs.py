"""What goes to CloudWatch, and in which portions."""

from laptop.glue.logs import batches


def test_log_lines_come_in_batches_cloudwatch_takes():
    cut = list(batches(["", "a" * 70_000, *["b"] * 600]))
    assert all(len(batch) <= 500 and sum(map(len, batch)) <= 200_000 for batch in cut)
    assert "".join(piece for batch in cut for piece in batch) == "a" * 70_000 + "b" * 600
