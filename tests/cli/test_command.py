"""The command as a whole: its help, version, completion."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib import import_module, metadata
from types import ModuleType
from typing import Annotated

import pytest
import typer
from typer.main import get_command
from typer.testing import CliRunner

from rankdistill.cli import main
from rankdistill.cli.help import MORE, NAMES, VerbCommand
from rankdistill.cli.main import PANELS, VERBS, build_app
from tests.cli.verb import Run

LONG = "--" + "x" * NAMES


def test_help_shows_every_verb_in_panels_along_the_flow(rankdistill: Run) -> None:
    status, shown = rankdistill("--help")
    assert status == 0
    places = [shown.index(f"─ {panel} ─") for panel in PANELS]
    assert places == sorted(places)
    assert [*PANELS] == ["Data", "Candidates and teachers", "Students", "Search", "Judge", "Publish", "Experiments"]
    of_verbs = [re.search(rf"│ {verb} ", shown) for verb in VERBS]
    assert all(of_verbs)
    assert [found.start() for found in of_verbs if found] == sorted(found.start() for found in of_verbs if found)


def test_the_package_runs_as_the_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "rankdistill", "--version"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, f"rankdistill {metadata.version('rankdistill')}\n")


def test_the_version_is_the_installed_one(rankdistill: Run) -> None:
    assert rankdistill("--version") == (0, f"rankdistill {metadata.version('rankdistill')}")


def test_a_verb_waits_for_the_flags_of_no_other(rankdistill: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    def seen(name: str) -> ModuleType:
        made.append(name.rpartition(".")[2])
        return import_module(name)

    monkeypatch.setattr(main, "import_module", seen)
    assert rankdistill("ann-recall", "--help")[0] == 0
    assert made == ["ann_recall"]
    made.clear()
    status, said = rankdistill("no-such-verb")
    assert (status, len(made)) == (2, len(VERBS))
    assert "No such command 'no-such-verb'" in said


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb != "data"])
def test_help_of_a_verb_cuts_nothing(verb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    app = get_command(build_app([verb]))
    outcome = _help(verb)
    command = app.commands[verb]  # type: ignore[attr-defined]
    shown = [one for one in command.params if getattr(one, "rich_help_panel", None) != MORE]
    for param in shown:
        for flag in (*param.opts, *param.secondary_opts) if param.param_type_name == "option" else ():
            assert flag in outcome, f"{flag} is cut"
    assert "…" not in outcome
    assert all(len(line) <= 80 for line in outcome.splitlines())


def _help(verb: str) -> str:
    found = CliRunner().invoke(build_app([verb]), [verb, "--help"], prog_name="rankdistill")
    assert found.exit_code == 0
    return found.stdout


def test_options_of_the_further_panel_are_shown_where_all_are_asked_for() -> None:
    app = typer.Typer()

    @app.command(cls=VerbCommand)
    def verb(
        first: Annotated[int, typer.Option(help="Used at once.")] = 1,
        later: Annotated[int, typer.Option(help="Used later.", rich_help_panel=MORE)] = 2,
        wide: Annotated[int, typer.Option(LONG, help="Wide.", rich_help_panel=MORE)] = 3,
    ) -> None:
        """Does something."""

    short = CliRunner().invoke(app, ["--help"]).stdout
    assert "--first" in short
    assert "--later" not in short
    assert "2 more options:" in short
    assert "1 more option: rankdistill check" not in _help("check"), "it leaves none out"
    assert "1 more option: rankdistill compare --help-all" in _help("compare")
    whole = CliRunner().invoke(app, ["--help-all"])
    assert whole.exit_code == 0
    assert "Used later." in whole.stdout
    assert "more options:" not in whole.stdout
    assert "--later" not in CliRunner().invoke(app, ["--help"]).stdout, "one help has no effect on the next"


def test_the_shell_completes_verbs_and_flags() -> None:
    environment = {"_RANKDISTILL_COMPLETE": "complete_bash", "COMP_WORDS": "rankdistill ev", "COMP_CWORD": "1"}
    code = "import sys; sys.argv[0] = 'rankdistill'; from rankdistill.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == ["evaluate"]
