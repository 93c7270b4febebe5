"""The commands of docs/teachers.md run as they stand, with tiny models and data behind its capital names."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tests.cli.guides import commands
from tests.cli.verb import Run

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "teachers.md"
CHEAP = {"teach": ["--steps", "2", "--batch-size", "2", "--no-bf16"]}


def test_the_commands_of_the_guide_run_one_after_the_other(
    rankdistill: Run, tiny_beir: Path, tiny_encoder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names = {"DIR": str(tiny_beir), "MODEL": tiny_encoder}
    said = ""
    for line in commands(GUIDE):
        words = [re.sub(r"\b[A-Z]+$", lambda found: names.get(found[0], found[0]), word) for word in shlex.split(line)]
        verb, *rest = words[1:]
        status, said = rankdistill(verb, *rest, *CHEAP.get(verb, []))
        assert status == 0, f"{line}: {said}"
    assert "of 6 queries of dev: teacher" in said
