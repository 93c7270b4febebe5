"""Runs one verb of the command line in this process."""

from __future__ import annotations

from collections.abc import Callable

import typer
from typer.testing import CliRunner, Result

from rankdistill.cli import console

Run = Callable[..., tuple[int, str]]
"""What the fixture `rankdistill` gives: the command's words -> exit status and output."""


def run_verb(verb: Callable[..., None], *words: object) -> Result:
    """The outcome of `rankdistill VERB WORDS`.

    An error of the verb is raised, as the verb raised it.
    """
    console.show_log()
    app = typer.Typer()
    app.command()(verb)
    outcome = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
    assert outcome.exit_code == 0, outcome.output
    return outcome
