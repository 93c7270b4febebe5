"""Published result files, held against files made here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.reproductions import mteb_results


def content(**scores: float) -> dict[str, Any]:
    """A result file."""
    block = {"hf_subset": "default", "languages": ["eng-Latn"], "main_score": 0.5, **scores}
    return {"task_name": "Tiny", "dataset_revision": "0", "mteb_version": "2.26", "scores": {"test": [block]}}


def test_numbers_within_the_tolerance_pass_and_others_are_named() -> None:
    published = content(ndcg_at_10=0.5, nauc_ndcg_at_10_max=0.31)
    (row,) = mteb_results.held_against(published, content(ndcg_at_10=0.5004, nauc_ndcg_at_10_max=0.3102))
    assert mteb_results.is_whole(row)
    assert (row["numbers"], row["furthest"]) == (3, pytest.approx(0.0004))
    assert row["furthest_nauc"] == pytest.approx(0.0002)
    (row,) = mteb_results.held_against(published, content(ndcg_at_10=0.502, nauc_ndcg_at_10_max=0.31))
    assert row["outside"] == {"ndcg_at_10": [0.5, 0.502]}
    assert not mteb_results.is_whole(row)


@pytest.mark.parametrize("name", ["nauc_mrr_at_10_std", "nauc_map_at_10_std", "mrr_at_10"])
def test_every_number_is_held_to_the_same_tolerance(name: str) -> None:
    published = content(nauc_mrr_at_10_std=0.2, nauc_map_at_10_std=0.2, mrr_at_10=0.2)
    moved = content(**{"nauc_mrr_at_10_std": 0.2, "nauc_map_at_10_std": 0.2, "mrr_at_10": 0.2, name: 0.2021})
    (row,) = mteb_results.held_against(published, moved)
    assert row["outside"] == {name: [0.2, 0.2021]}
    assert not mteb_results.is_whole(row)


def test_a_measure_or_a_field_that_is_lacking_is_named() -> None:
    published = content(map_at_3=0.5) | {"kg_co2_emissions": None}
    (row,) = mteb_results.held_against(published, content())
    assert (row["lacking"], row["fields_lacking"]) == (["map_at_3"], ["kg_co2_emissions"])
    assert not mteb_results.is_whole(row)


def test_a_number_that_is_none_is_outside(tmp_path: Path) -> None:
    for name, file in (("published", content(mrr_at_1=0.5)), ("files", content(mrr_at_1=float("nan")))):
        (tmp_path / name).mkdir()
        (tmp_path / name / "Tiny.json").write_text(json.dumps(file))
    (row,) = mteb_results.compare_folders(tmp_path / "published", tmp_path / "files", ["Tiny"])
    assert list(row["outside"]) == ["mrr_at_1"]
