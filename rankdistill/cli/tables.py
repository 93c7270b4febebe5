"""Rows as a table on standard output."""

from __future__ import annotations

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from rankdistill.cli import console

WIDTH = 160
"""Columns for a table that goes into a file or a pipe, where no terminal gives the width."""


def show(title: str, header: Sequence[str], rows: Sequence[Sequence[str]], texts: int = 1) -> None:
    """Print `rows` under `header`; the first `texts` columns are names or sentences, the others are numbers."""
    table = Table(title=Text(title), title_justify="left", box=SIMPLE_HEAD, collapse_padding=True, pad_edge=False)
    table.add_column(Text(header[0]), min_width=14, overflow="fold")
    for place, name in enumerate(header[1:], start=1):
        table.add_column(Text(name), justify="left" if place < texts else "right")
    for row in rows:
        table.add_row(*map(Text, row))
    console.out.print(table, width=None if console.out.is_terminal else WIDTH, crop=False)
