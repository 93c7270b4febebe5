"""The benchmark of engines as a whole, at a tiny size; and what it calls near."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import provenance
from benchmarks.serving import engines


@pytest.mark.slow
def test_it_compares_what_an_engine_answers_with_what_was_evaluated(
    tiny_beir: Path, tiny_encoder: str, tiny_splade: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provenance, "RESULTS", tmp_path)
    words = ["--data", str(tiny_beir), "--model", tiny_encoder, "--sparse", tiny_splade, "--engines", "qdrant"]
    engines.main([*words, "--work", str(tmp_path / "work")])
    rows = json.loads((tmp_path / "serving_engines.json").read_text())["engines"]
    assert [(row["vectors"], row["exact"]) for row in rows] == [("dense", True), ("dense", False), ("sparse", True)]
    for row in rows:
        assert (row["documents"], row["sent_again"], row["queries"]) == (40, 0, 6)
        assert row["identical_but_for_near_scores"] == 6
        assert row["equal_to_4_digits"]
        assert row["recall_of_exact_top_10"] > 0.9


def test_near_scores_may_change_places_and_others_may_not() -> None:
    ids, scores = np.array(["a", "b", "c"], object), np.array([0.9, 0.5, 0.4])
    swapped, close = np.array(["b", "a", "c"], object), np.array([0.9, 0.9 - 1e-7, 0.4])
    assert engines._near(ids, scores, ids, scores)
    assert engines._near(swapped, close, ids, close)
    assert not engines._near(swapped, scores, ids, scores)
    assert not engines._near(ids, close, ids, scores)
    other = np.array(["a", "b", "d"], object)
    assert engines._near(other, scores, ids, scores)
