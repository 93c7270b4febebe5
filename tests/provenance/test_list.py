"""The list of what lies under a folder."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import rankdistill as rd
from rankdistill.errors import ConfigError, DataError


def test_every_artefact_has_a_row_with_what_it_is_and_what_it_was_made_from(inside: Path) -> None:
    rows = {row.path: row for row in rd.artefacts(".")}
    assert {path: row.kind for path, row in rows.items()} == {
        "CANDIDATES": "candidates",
        "DATA": "dataset",
        "EVALUATION": "evaluation",
        "INDEX": "index",
        "STORE": "scores",
        "STUDENT": "student",
    }
    assert set(rows["STUDENT"].sources) == {"STORE", "DATA", "MODEL"}
    assert set(rows["EVALUATION"].sources) == {"INDEX", "STUDENT", "DATA"}
    assert "margin_mse, dense" in rows["STUDENT"].what
    assert "2 steps, dev nDCG@10 0." in rows["STUDENT"].what
    assert rows["CANDIDATES"].what == "bm25, train, depth 12"
    assert rows["INDEX"].what == "dense, exact"
    measured = rd.open("EVALUATION").system.measures["ndcg_at_10"]
    assert rows["EVALUATION"].what.endswith(f"test, nDCG@10 {measured:.4f}")


def test_figures_that_were_changed_are_not_told(pipeline: Path, tmp_path: Path) -> None:
    for name, file in (("EVALUATION", "results.json"), ("STUDENT", "training_log.json"), ("GONE", "results.json")):
        shutil.copytree(pipeline / ("EVALUATION" if name == "GONE" else name), tmp_path / name)
        path = tmp_path / name / file
        path.write_text(path.read_text().replace(": 0.", ": 0.9"))
    (tmp_path / "GONE" / "results.json").unlink()
    told = {row.path: row.what for row in rd.artefacts(tmp_path)}
    assert told == {
        name: f"damaged: `rankdistill verify {tmp_path / name}` tells which files"
        for name in ("EVALUATION", "STUDENT", "GONE")
    }
    assert f"damaged: `rankdistill verify {tmp_path / 'EVALUATION'}`" in str(rd.lineage(tmp_path / "EVALUATION"))


def test_a_list_prints_as_a_table_and_as_json(inside: Path) -> None:
    found = rd.artefacts()
    text = str(found)
    assert all(name in text for name in ("path", "made from", "STUDENT", "EVALUATION", "rankdistill lineage"))
    assert [row["path"] for row in found.to_json()["artefacts"]] == [row.path for row in found]
    assert found.to_polars().height == len(found) == 6


@pytest.mark.parametrize(
    ("kinds", "paths"),
    [
        ("stores", ["STORE"]),
        (["students", "indexes"], ["INDEX", "STUDENT"]),
        ("candidates", ["CANDIDATES"]),
        ("runs", []),
    ],
)
def test_only_the_kinds_that_are_asked_for(inside: Path, kinds: str | list[str], paths: list[str]) -> None:
    assert [row.path for row in rd.artefacts(".", kinds=kinds)] == paths


def test_an_unknown_kind_is_refused_with_the_known_ones(inside: Path) -> None:
    with pytest.raises(ConfigError, match=r"stores, students, indexes(.|\n)*'models'"):
        rd.artefacts(".", kinds="models")


def test_an_empty_folder_says_so(tmp_path: Path) -> None:
    assert str(rd.artefacts(tmp_path)) == f"{tmp_path}: no artefact of rankdistill"
    assert rd.artefacts(tmp_path).to_polars().height == 0


def test_no_folder_is_an_error() -> None:
    with pytest.raises(DataError, match="nothing was listed"):
        rd.artefacts("nowhere")
