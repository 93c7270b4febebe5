"""The `rankdistill` command: collects the verbs and turns errors into messages."""

from __future__ import annotations

import sys
from importlib import import_module
from keyword import iskeyword
from pathlib import Path

import typer

from rankdistill.errors import RankdistillError

VERBS = (
    "data",
    "mine",
    "teach",
    "plan",
    "score",
    "embed",
    "import",
    "check",
    "ensemble",
    "export",
    "train",
    "bundle",
    "index",
    "search",
    "evaluate",
    "rerank",
    "fuse",
    "compare",
    "robustness",
    "sparsity",
    "explain",
    "ann-recall",
    "run",
    "status",
    "doctor",
)
"""Each is a module of this package with a function (or, for `data`, a Typer app named `app`) of the same name.

A hyphen is an underscore in the name of module and function; a word of the language has one after it.
"""

EXIT_ERROR, EXIT_INTERRUPTED = 1, 130


def build_app() -> typer.Typer:
    """The Typer application with every verb."""
    app = typer.Typer(
        name="rankdistill",
        help="Distil expensive rankers and embedders into small, fast retrievers, and prove it.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        add_completion=False,
    )
    for verb in VERBS:
        name = f"{verb}_" if iskeyword(verb) else verb.replace("-", "_")
        module = import_module(f"rankdistill.cli.{name}")
        if hasattr(module, "app"):
            app.add_typer(module.app, name=verb)
        else:
            app.command(name=verb)(getattr(module, name))
    return app


def main() -> None:
    """Run the command line; errors of ours print without a traceback and exit with 1, Ctrl-C with 130."""
    from rankdistill import files
    from rankdistill.cli.console import err, show_log

    show_log()
    try:
        with files.output_errors(Path()):
            build_app()()
    except RankdistillError as error:
        err.print(f"[bold red]{type(error).__name__}[/]")
        err.print(str(error), markup=False, highlight=False, soft_wrap=True)
        sys.exit(EXIT_ERROR)
    except (KeyboardInterrupt, SystemExit) as stop:
        if isinstance(stop, SystemExit) and stop.code != EXIT_INTERRUPTED:
            raise
        err.print("interrupted: what was finished is kept; the same command takes up from there")
        sys.exit(EXIT_INTERRUPTED)


if __name__ == "__main__":
    main()
