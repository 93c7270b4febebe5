"""Lucene indexes, as a user types it: every command of docs/lucene.md."""

from __future__ import annotations

import json
import shlex
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.cli.guides import commands
from tests.cli.verb import Run

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "lucene.md"

needs_lucene = pytest.mark.skipif(find_spec("pyserini") is None, reason="pip install 'rankdistill[lucene]'")


@pytest.mark.slow
@needs_lucene
def test_the_commands_of_the_guide_run_one_after_the_other(
    rankdistill: Run,
    tiny_beir: Path,
    tiny_encoder: str,
    tiny_splade: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    names = {"DIR": str(tiny_beir), "DENSE": tiny_encoder, "SPARSE": tiny_splade}
    assert len(commands(GUIDE)) >= 5
    for line in commands(GUIDE):
        words = [names.get(word, word) for word in shlex.split(line)]
        status, said = rankdistill(*words[1:])
        assert status == 0, f"{line}: {said}"
    made = json.loads((tmp_path / "IMPACTS" / "manifest.json").read_text())
    assert made["parameters"]["build_parameters"] == {"factor": 50.0}
    assert "shard-00000/lucene/segments_1" in made["outputs"]
    found = json.loads((tmp_path / "RESULTS" / "results.json").read_text())
    assert found["ndcg_at_10"] > 0.2
