"""`rankdistill queries` on the command line."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.verb import Run


def test_kinds_and_counts_are_printed_and_as_json(rankdistill: Run, tiny_beir: Path, tmp_path: Path) -> None:
    words = ("queries", "--data", tiny_beir, "--generator", "titles", "--generator", "spans", "--per-document", 2)
    status, told = rankdistill(*words, "--out", tmp_path / "out")
    assert status == 0
    assert "kind made" in told
    assert "titles 40" in told
    status, told = rankdistill(*words, "--json", "--out", tmp_path / "out")
    shown = json.loads(told[: told.rindex("}") + 1][told.index("{") :])
    assert shown["kinds"]["titles"]["made"] == 40
    assert shown["documents"] == 40


def test_errors_have_no_traceback(rankdistill: Run, tiny_beir: Path, tmp_path: Path) -> None:
    status, told = rankdistill("queries", "--data", tiny_beir, "--generator", "no_such", "--out", tmp_path / "out")
    assert status == 1
    assert "ConfigError expected: a generator" in told
    status, told = rankdistill("queries", "--data", tmp_path / "none", "--out", tmp_path / "out")
    assert status == 1
    assert "Traceback" not in told
