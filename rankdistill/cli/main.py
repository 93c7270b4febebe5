"""The `rankdistill` command: collects the verbs and turns errors and signals into messages."""

from __future__ import annotations

import shlex
import signal
import sys
import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module, metadata
from keyword import iskeyword
from pathlib import Path
from typing import Annotated, Any

import typer

from rankdistill.cli.help import InOrder, VerbCommand
from rankdistill.errors import RankdistillError

PANELS = {
    "Data": ("data", "queries", "rewrite"),
    "Candidates and teachers": (
        "mine",
        "teach",
        "plan",
        "score",
        "embed",
        "import",
        "check",
        "ensemble",
        "export",
    ),
    "Students": ("train", "bundle"),
    "Search": ("index", "search", "explain", "serve", "push"),
    "Judge": ("evaluate", "rerank", "fuse", "compare", "fidelity", "verdict", "robustness", "sparsity", "ann-recall"),
    "Publish": ("publish",),
    "Experiments": ("distill", "init", "run", "tune", "reproduce", "status", "verify", "list", "lineage", "doctor"),
}
"""The verbs in the order of the work, as `--help` shows them."""

VERBS = tuple(verb for verbs in PANELS.values() for verb in verbs)
"""Each is a module of this package with a function (or, for `data`, a Typer app named `app`) of the same name.

A hyphen is an underscore in the name of module and function; a word of the language has one after it.
"""

EXIT_ERROR, EXIT_INTERRUPTED, EXIT_TERMINATED = 1, 130, 143


def _version(shown: bool) -> None:
    if shown:
        print(f"rankdistill {metadata.version('rankdistill')}")
        raise typer.Exit


def _top(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Distil expensive rankers and embedders into small, fast retrievers, and prove it."""


class Verbs(InOrder):
    """The verbs in the order of the work."""

    order = VERBS


def build_app(only: Collection[str] = VERBS) -> typer.Typer:
    """The Typer application with these verbs, or every one."""
    app = typer.Typer(name="rankdistill", cls=Verbs, no_args_is_help=True, pretty_exceptions_enable=False)
    app.callback()(_top)
    for panel, verbs in PANELS.items():
        for verb in (verb for verb in verbs if verb in only):
            name = f"{verb}_" if iskeyword(verb) else verb.replace("-", "_")
            module = import_module(f"rankdistill.cli.{name}")
            if hasattr(module, "app"):
                app.add_typer(module.app, name=verb, rich_help_panel=panel)
            else:
                app.command(name=verb, rich_help_panel=panel, cls=VerbCommand)(getattr(module, name))
    return app


def main() -> None:
    """Run the command line; errors of ours print without a traceback and exit with 1.

    Of any other error the traceback is saved, and a line says where.

    Ctrl-C ends it with 130 and SIGTERM with 143; the last line says how to go on.
    """
    from rankdistill import files
    from rankdistill.cli.console import err, show_log, write_any_character

    write_any_character()
    show_log()
    with _terminations():
        try:
            with files.output_errors(Path()):
                build_app(_asked(sys.argv[1:]))()
        except RankdistillError as error:
            err.print(f"[bold red]{type(error).__name__}[/]")
            err.print(str(error), markup=False, highlight=False, soft_wrap=True)
            sys.exit(EXIT_ERROR)
        except Exception as error:
            from rankdistill.cli import unknown_error

            err.print(unknown_error.told(error), markup=False, highlight=False, soft_wrap=True)
            sys.exit(EXIT_ERROR)
        except (KeyboardInterrupt, SystemExit) as stop:
            if isinstance(stop, SystemExit) and stop.code != EXIT_INTERRUPTED:
                raise
            again = shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])
            kept = f": what was finished is kept; the same command takes up from there:\n  {again}"
            err.print(
                f"interrupted{'' if len(sys.argv) > 1 and sys.argv[1] in READ_ONLY else kept}",
                markup=False,
                highlight=False,
                soft_wrap=True,
            )
            sys.exit(EXIT_TERMINATED if _signal_of(stop) == signal.SIGTERM else EXIT_INTERRUPTED)


READ_ONLY = ("doctor", "explain", "lineage", "list", "search", "status", "verify")
"""Verbs of which an interrupted one leaves nothing to take up."""


def _asked(words: Sequence[str]) -> Collection[str]:
    """The verb that the words begin with: the flags of others need not be made then. Every one where it is none."""
    return words[:1] if words and words[0] in VERBS else VERBS


@contextmanager
def _terminations() -> Iterator[None]:
    """Let SIGTERM interrupt as Ctrl-C does, where it is not ignored."""
    in_main = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGTERM)
    if not in_main or before in (signal.SIG_IGN, None):
        yield
        return
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _interrupt(number: int, frame: Any) -> None:
    raise KeyboardInterrupt(number)


def _signal_of(stop: BaseException | None) -> int | None:
    """The signal behind the end of a command; None where it does not say."""
    while stop is not None:
        if isinstance(stop, KeyboardInterrupt) and stop.args:
            return int(stop.args[0])
        stop = stop.__cause__ or stop.__context__
    return None


if __name__ == "__main__":
    main()
