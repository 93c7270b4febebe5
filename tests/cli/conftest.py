"""Fixtures of the command-line tests."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from rankdistill.cli import console
from rankdistill.cli import main as cli
from tests.cli.verb import Run


@pytest.fixture(autouse=True)
def log() -> None:
    """What the library notes reaches standard error, as it does in the command."""
    console.show_log()


@pytest.fixture
def rankdistill(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Runs the command in this process; gives the exit status and all that it printed."""

    def run(*words: object) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["rankdistill", *map(str, words)])
        try:
            cli.main()
            status = 0
        except SystemExit as stop:
            status = int(stop.code or 0)
        shown = capfd.readouterr()
        return status, " ".join((shown.out + shown.err).split())

    return run


@pytest.fixture
def mined(rankdistill: Run, tiny_beir: Path, tmp_path: Path) -> Path:
    """Candidates of the tiny collection."""
    folder = tmp_path / "candidates"
    assert rankdistill("mine", "--data", tiny_beir, "--depth", 10, "--out", folder)[0] == 0
    return folder
