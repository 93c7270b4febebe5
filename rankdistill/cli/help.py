"""Help that fits: no flag is cut, and options that a first use does not need are left to `--help-all`."""

from __future__ import annotations

import inspect
import shutil
from typing import TYPE_CHECKING, Any

from typer.core import TyperCommand, TyperGroup

from rankdistill.cli.optional_values import filled_in

if TYPE_CHECKING:
    from rich.console import Console

MORE = "More options"
"""Panel of the options that `--help` leaves out."""

WIDEST, NAMES = 110, 30
"""Columns of help at most, and of the flags' names; help of longer names begins on a line of its own."""

HELP_ALL = "--help-all"

_ALL = "rankdistill.help_all"


class InOrder(TyperGroup):
    """A group whose commands stand in a given order."""

    order: tuple[str, ...] = ()

    def list_commands(self, ctx: Any) -> list[str]:
        """The commands as `order` has them; those that it does not name come last."""
        found = super().list_commands(ctx)
        return sorted(found, key=lambda name: self.order.index(name) if name in self.order else len(self.order))


class VerbCommand(TyperCommand):
    """A verb whose `--help` leaves out the options of the panel `MORE`, and says so."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As usual, `--help-all` being a help that leaves nothing out; a value in brackets may be left out."""
        optional = {flag for one in self.params if (one.metavar or "").startswith("[") for flag in one.opts}
        args = filled_in(args, optional) if optional else args
        if HELP_ALL in args:
            ctx.meta[_ALL] = True
            args = ["--help" if word == HELP_ALL else word for word in args]
        return super().parse_args(ctx, args)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print the help in panels."""
        from rich.console import Console

        shows_all = _ALL in ctx.meta
        params = [one for one in self.get_params(ctx) if shows_all or not _further(one)]
        console = Console(
            width=min(WIDEST, shutil.get_terminal_size((WIDEST, 24)).columns), highlight=False, emoji=False
        )
        console.print(self.get_usage(ctx), style="bold", markup=False)
        console.print()
        console.print(_unwrapped(self.help or ""), markup=False)
        console.print()
        for panel in dict.fromkeys(map(_panel, params)):
            _show(console, panel, [one for one in params if _panel(one) == panel], ctx)
        if left := len(self.get_params(ctx)) - len(params):
            console.print(f"{left} more option{'s' if left > 1 else ''}: {ctx.command_path} {HELP_ALL}", markup=False)


def _further(param: Any) -> bool:
    return getattr(param, "rich_help_panel", None) == MORE


def _panel(param: Any) -> str:
    given = getattr(param, "rich_help_panel", None)
    return given or ("Arguments" if param.param_type_name == "argument" else "Options")


def _show(console: Console, panel: str, params: list[Any], ctx: Any) -> None:
    from rich.panel import Panel
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    table.add_column(width=NAMES, overflow="fold")
    table.add_column(overflow="fold")
    for param in params:
        record = param.get_help_record(ctx)
        if record is None:
            continue
        names, told = record
        *above, last = [names] if len(names) <= NAMES else names.replace(" / ", " /\n").splitlines()
        for name in above:
            table.add_row(Text(name, "cyan"), "")
        table.add_row(Text(last, "cyan"), Text(told))
    console.print(Panel(table, title=panel, title_align="left", border_style="dim"))


def _unwrapped(text: str) -> str:
    """The paragraphs, each on one line, so that they are wrapped to the terminal."""
    paragraphs = inspect.cleandoc(text).split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
