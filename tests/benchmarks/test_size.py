"""The benchmark of size as a whole, at a tiny size: stopped, and started again."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

import rankdistill
from benchmarks import provenance, size
from tests.conftest import write_tiny_beir


@pytest.mark.slow
def test_it_ends_and_goes_on_where_it_was_stopped(
    tiny_encoder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in size.TRAINED_ON:
        write_tiny_beir(tmp_path / "data" / name)
    judged = tmp_path / "data" / "msmarco_mini" / "qrels"
    shutil.copy(judged / "test.tsv", judged / "dl19.tsv")
    monkeypatch.setattr(provenance, "RESULTS", tmp_path)
    settings = {**size.SETTINGS, "eval_steps": 10, "held_out": 12, "max_document_length": 32}
    monkeypatch.setattr(size, "SETTINGS", settings)
    words = ["--data", tmp_path / "data", "--work", tmp_path / "work", "--steps", 2, "--seeds", "13,14"]
    words += ["--teacher", tiny_encoder, "--student", tiny_encoder, "--sizes", "0.06,0.05", "--static-sizes", "0.02"]
    monkeypatch.setattr(sys, "argv", ["size", *map(str, words)])
    with monkeypatch.context() as stopping:
        stopping.setattr(rankdistill, "index", stop)
        with pytest.raises(KeyboardInterrupt):
            size.main()
    trained = tmp_path / "work" / "dense-0.05" / "seed-14" / "student" / "model.safetensors"
    written = trained.stat().st_mtime_ns
    size.main()
    assert trained.stat().st_mtime_ns == written
    found = json.loads((tmp_path / "size.json").read_text())
    assert found["students"].keys() == {"dense 0.06 MB", "dense 0.05 MB", "static 0.02 MB"}
    for student in found["students"].values():
        assert student["bytes"] <= student["max_mb"] * 1e6
        assert len({one["storage"] for one in student["stored"]}) == 1
    assert found["tests"].keys() == {"scifact test", "nfcorpus test", "msmarco_mini dl19"}
    for test in found["tests"].values():
        assert {system["trainings"] for system in test["systems"]} == {1, 2}
        assert len(test["systems"]) == 7


def stop(*words: Any, **settings: Any) -> None:
    """What the user's Ctrl-C does."""
    raise KeyboardInterrupt
