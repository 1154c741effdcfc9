"""Shows what the command line has to say: tables and JSON on stdout, progress bars and reasons on stderr."""

import csv
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


def tell(line: str) -> None:
    """Show a line about what is being done."""
    err.print(line, style="dim", markup=False, soft_wrap=True)


def progress() -> Progress:
    """Make progress bars: what, bar, done of all, time."""
    return Progress(
        TextColumn("{task.description:<18}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=err,
    )


def show_table(
    rows: Sequence[Mapping[str, Any]], title: str | None = None, columns: Sequence[str] | None = None
) -> None:
    """Show rows as a table, numbers to the right; `columns` chooses some of them."""
    if not rows:
        out.print(f"{title}: no rows." if title else "No rows.")
        return
    columns = columns or list(rows[0])
    table = Table(title=title, title_justify="left")
    for column in columns:
        numbers = all(isinstance(row[column], int | float | Decimal | None) for row in rows)
        name = column.replace("_", " ")
        table.add_column(name, justify="right" if numbers else "left", overflow="fold")
    for row in rows:
        # Text, because what landed in brackets is no markup.
        table.add_row(*(Text(printable(_cell(row[column]))) for column in columns))
    out.print(table)


def show_json(document: Any) -> None:
    """Write one JSON document."""
    sys.stdout.write(json.dumps(document, default=_plain, indent=1, ensure_ascii=False) + "\n")


def stream_json(rows: Iterable[Mapping[str, Any]]) -> None:
    """Write one JSON document, a list, holding no more than a row of it."""
    before = "["
    for row in rows:
        sys.stdout.write(f"{before}\n {json.dumps(row, default=_plain, ensure_ascii=False)}")
        before = ","
    sys.stdout.write("[]\n" if before == "[" else "\n]\n")


def stream_csv(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """Write a CSV header and the rows, holding no more than one of them."""
    writer = csv.DictWriter(sys.stdout, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)


def show_csv(rows: Sequence[Mapping[str, Any]]) -> None:
    """Write a CSV header and the rows; nothing for no rows."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    if rows:
        writer.writerow(rows[0].keys())
    writer.writerows(row.values() for row in rows)


def printable(text: str) -> str:
    """Return text that can't steer a terminal: a control or invisible character is shown as its code."""
    return "".join(
        char if char.isprintable() or char == "\n" else char.encode("unicode_escape").decode()
        for char in text
    )


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float | Decimal):
        return f"{value:,.2f}".removesuffix(".00")
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _plain(value: Any) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return str(value)
