"""The benchmark of documents alone as a whole, at a tiny size."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from benchmarks import documents_alone, provenance
from benchmarks.seeds import SEEDS


@pytest.mark.slow
@pytest.mark.usefixtures("torch_alone")
@pytest.mark.parametrize("kinds", [False, True])
def test_students_of_generated_queries_and_of_labels_are_compared(
    kinds: bool, tiny_beir: Path, tiny_encoder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provenance, "RESULTS", tmp_path)
    monkeypatch.setattr(documents_alone, "SETTINGS", {**documents_alone.SETTINGS, "max_document_length": 32})
    (tmp_path / "sets").mkdir()
    shutil.copytree(tiny_beir, tmp_path / "sets" / "tiny")
    if kinds:
        (tmp_path / "sets" / "tiny" / "qrels" / "dev.tsv").unlink()
    words = ["--data", tmp_path / "sets", "--work", tmp_path / "work", "--sets", "tiny", "--steps", 2, "--depth", 12]
    words += ["--student", tiny_encoder, "--teacher", tiny_encoder, "--keep-layers", "0,2", "--set", "batch_size=2"]
    words += ["--align-steps", 0 if kinds else 2]
    words += ["--kinds", "--kind", "titles", "--kind", "spans", "--seeds", "13"] if kinds else []
    monkeypatch.setattr(sys, "argv", ["documents_alone", *map(str, words)])
    documents_alone.main()
    name = "documents_alone_kinds" if kinds else "documents_alone"
    found = json.loads((tmp_path / f"{name}.json").read_text())["sets"]["tiny"]
    systems = {system["name"]: system for system in found["systems"]}
    if kinds:
        assert set(systems) == {"untrained", "titles", "spans", "supervised"}
        assert found["generated"].keys() == {"titles", "spans"}
        return
    assert set(systems) == {"untrained", "documents alone, aligned", "documents alone", "supervised"}
    assert systems["documents alone"]["trainings"] == len(SEEDS)
    assert set(found["against"]) == set(systems) - {"untrained"}
    assert {row["baseline"] for row in found["against"]["supervised"]} == {"supervised"}
    measures = {name: system["measures"]["ndcg_at_10"] for name, system in systems.items()}
    assert set(found["share"]) == {"untrained", "documents alone, aligned"}
    for baseline, share in found["share"].items():
        gain, own = (measures[name] - measures[baseline] for name in ("supervised", "documents alone"))
        assert share == (pytest.approx(own / gain) if gain > 0 else None)
