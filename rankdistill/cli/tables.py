"""Rows as a table on standard output."""

from __future__ import annotations

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from rankdistill.cli import console


def show(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print `rows` under `header`; the first column is a name, the others are numbers."""
    table = Table(title=Text(title), title_justify="left", box=SIMPLE_HEAD, collapse_padding=True, pad_edge=False)
    table.add_column(Text(header[0]), min_width=14, overflow="fold")
    for name in header[1:]:
        table.add_column(Text(name), justify="right")
    for row in rows:
        table.add_row(*map(Text, row))
    console.out.print(table)
