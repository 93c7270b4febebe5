"""The benchmark of negatives as a whole, at a tiny size: stopped, and started again."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

import rankdistill
from benchmarks import negatives, provenance


@pytest.mark.slow
def test_it_ends_and_goes_on_where_it_was_stopped(
    tiny_beir: Path, tiny_encoder: str, tiny_cross_encoder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provenance, "RESULTS", tmp_path)
    monkeypatch.setattr(negatives, "SETTINGS", {**negatives.SETTINGS, "max_document_length": 32})
    words = ["--data", tiny_beir, "--teacher", tiny_cross_encoder, "--work", tmp_path / "work", "--steps", 2]
    words += ["--seeds", "13,14"]
    words += ["--student", tiny_encoder, "--keep-layers", "0,2", "--queries", 10, "--depth", 20]
    monkeypatch.setattr(sys, "argv", ["negatives", *map(str, words)])
    with monkeypatch.context() as stopping:
        stopping.setattr(rankdistill, "index", stop)
        with pytest.raises(KeyboardInterrupt):
            negatives.main()
    trained = tmp_path / "work" / negatives.BASELINE / "seed-13" / "student" / "model.safetensors"
    written = trained.stat().st_mtime_ns
    negatives.main()
    assert trained.stat().st_mtime_ns == written
    found = json.loads((tmp_path / "negatives.json").read_text())
    assert {system["name"] for system in found["systems"]} == set(negatives.CHOICES)
    assert {system["trainings"] for system in found["systems"]} == {2}
    assert len({row["system"] for row in found["comparisons"]}) == len(negatives.CHOICES) - 1
    assert found["hardness"].keys() == {"bm25", "dense"}
    seen = {name: set(choice["negatives_by_source"]) for name, choice in found["negatives"].items()}
    assert (seen["bm25"], seen["dense"]) == ({"bm25", "bm25+dense"}, {"dense", "bm25+dense"})


def stop(*words: Any, **settings: Any) -> None:
    """What the user's Ctrl-C does."""
    raise KeyboardInterrupt
