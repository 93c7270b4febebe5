"""The help of every verb."""

from __future__ import annotations

import re

import pytest
from typer.testing import CliRunner

from rankdistill.cli.main import VERBS, build_app


@pytest.mark.parametrize("verb", VERBS)
def test_help_on_a_narrow_terminal_cuts_no_flag(verb: str) -> None:
    shown = CliRunner().invoke(build_app(), [verb, "--help"], env={"COLUMNS": "80", "TERMINAL_WIDTH": "80"})
    assert shown.exit_code == 0
    assert re.findall(r"--[\w-]*\u2026", shown.output) == []
