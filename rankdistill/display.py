"""How results are shown: as text that is not cut, as HTML in a notebook, as frames."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd  # type: ignore[import-untyped]
    import polars as pl
    from rich.table import Table as RichTable

WIDTH = 160
"""Columns of a table that goes into a file, a pipe or a string, where no terminal gives the width."""


_HYPHENS = "\n".join(["    ", "    ", " -- ", *["    "] * 5]) + "\n"
"""A rule under the header, as rich describes the lines of a table."""


@dataclass(frozen=True)
class Table:
    """Rows under a header.

    Args:
        title: stands above.
        header: the names of the columns.
        rows: as many cells each.
        texts: the first so many columns are names or sentences, the others are numbers.
    """

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    texts: int = 1

    def rich(self, unicode: bool = True) -> RichTable:
        """For a terminal; a cell that does not fit is folded, never cut. Without `unicode` its lines are hyphens."""
        from rich.box import SIMPLE_HEAD, Box
        from rich.table import Table as RichTable
        from rich.text import Text

        table = RichTable(
            title=Text(self.title),
            title_justify="left",
            box=SIMPLE_HEAD if unicode else Box(_HYPHENS, ascii=True),
            collapse_padding=True,
            pad_edge=False,
        )
        table.add_column(Text(self.header[0]), min_width=14, overflow="fold")
        for place, name in enumerate(self.header[1:], start=1):
            table.add_column(Text(name), justify="left" if place < self.texts else "right", overflow="fold")
        for row in self.rows:
            table.add_row(*map(Text, row))
        return table

    def text(self, unicode: bool = True) -> str:
        """As lines of `WIDTH` columns at most, wider where words are: cells are folded between words, never cut."""
        from dataclasses import replace

        from rich.console import Console

        table = replace(self, title="").rich(unicode)
        wide = Console(color_system=None, force_jupyter=False, force_terminal=False, width=10_000, emoji=False)
        needed = wide.measure(table)
        width = max(min(needed.maximum, WIDTH), needed.minimum)
        console = Console(color_system=None, force_jupyter=False, force_terminal=False, width=width, emoji=False)
        with console.capture() as captured:
            console.print(table)
        lines = [line.rstrip() for line in captured.get().splitlines()]
        return "\n".join([*self.title.splitlines(), *lines])

    def html(self) -> str:
        """As an HTML table; everything in it is escaped."""
        head = "".join(f"<th>{escape(name)}</th>" for name in self.header)
        aligned = ["left" if place < self.texts else "right" for place in range(len(self.header))]
        rows = "".join(
            "<tr>"
            + "".join(
                f'<td style="text-align:{side}">{escape(cell)}</td>' for side, cell in zip(aligned, row, strict=True)
            )
            + "</tr>"
            for row in self.rows
        )
        caption = f"<caption>{escape(self.title)}</caption>" if self.title else ""
        return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"

    def markdown(self) -> str:
        """As a table of GitHub's Markdown, its title in bold above."""
        cells = [[_markdown(cell) for cell in row] for row in (self.header, *self.rows)]
        rule = [":---" if place < self.texts else "---:" for place in range(len(self.header))]
        lines = ["| " + " | ".join(row) + " |" for row in (cells[0], rule, *cells[1:])]
        return "\n".join([f"**{_markdown(self.title)}**", "", *lines] if self.title else lines) + "\n"

    def latex(self) -> str:
        """As a LaTeX table with a caption, for the package booktabs."""
        columns = "".join("l" if place < self.texts else "r" for place in range(len(self.header)))
        header, *rows = [_latex_row(row) for row in (self.header, *self.rows)]
        lines = [
            r"\begin{table}",
            r"\centering",
            *([rf"\caption{{{_latex(self.title)}}}"] if self.title else []),
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            header,
            r"\midrule",
            *rows,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
        ]
        return "\n".join(lines) + "\n"


_IN_MARKDOWN = re.compile(r"([\\`*_\[\]<>|])")

_IN_LATEX = {
    **{sign: rf"\{sign}" for sign in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "±": r"$\pm$",
    "²": r"$^2$",
}


def _markdown(text: str) -> str:
    return " ".join(_IN_MARKDOWN.sub(r"\\\1", text).split())


def _latex_row(cells: Sequence[str]) -> str:
    r"""A row; the rule or the `\\` before it takes a `[` or `*` at its beginning for an argument of its own."""
    row = " & ".join(map(_latex, cells)) + r" \\"
    return "{}" + row if row.lstrip().startswith(("[", "*")) else row


def _latex(text: str) -> str:
    written = "".join(_IN_LATEX.get(sign, sign) for sign in text)
    return _SIGNED.sub(r"$\g<0>$", written)


_SIGNED = re.compile(r"(?<!\S)[+-]\d[\d.,]*(?!\S)")
"""A number with a sign, which is a hyphen outside of mathematics."""


class Shown:
    """A result that prints as tables and lines, and shows in a notebook."""

    def tables(self) -> list[Table]:
        """What it says, as tables; none unless it has some."""
        return []

    def lines(self) -> list[str]:
        """What it says besides, a line each."""
        return []

    @abstractmethod
    def to_polars(self) -> pl.DataFrame:
        """Its rows."""

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """All that it says, as JSON values; what `--json` prints."""

    def to_pandas(self) -> pd.DataFrame:
        """Its rows, as `to_polars` gives them."""
        return self.to_polars().to_pandas()

    def __str__(self) -> str:
        return "\n".join([*(table.text() for table in self.tables()), *self.lines()])

    def _repr_html_(self) -> str:
        tables = "".join(table.html() for table in self.tables())
        return tables + "".join(f"<div>{escape(line)}</div>" for line in self.lines())
