"""The verbs `robustness`, `ann_recall`, `sparsity` and `explain`, from Python."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import rankdistill as rd
from rankdistill import data
from rankdistill.errors import ConfigError, StaleOutputError
from rankdistill.verbs.ann_recall import ann_recall
from rankdistill.verbs.explain import explain
from rankdistill.verbs.robustness import robustness
from rankdistill.verbs.sparsity import sparsity
from tests.cli.verb import Run


def same(first: Path, second: Path, *but: str) -> None:
    names = {path.name for path in first.iterdir() if not path.name.startswith(".")}
    assert "manifest.json" in names
    for name in names.difference(but):
        assert (first / name).read_bytes() == (second / name).read_bytes(), name


def test_the_grid_of_two_towers(tiny_beir: Path, tiny_encoder: str, tmp_path: Path, rankdistill: Run) -> None:
    towers = (data.load(tiny_beir), tiny_encoder, Path(tiny_encoder))
    words = ["--data", tiny_beir, "--query-model", tiny_encoder, "--document-model", tiny_encoder, "--backend", "torch"]
    words += ["--dimensions", "32,16", "--precisions", "float32", "--draws", "1", "--out", tmp_path / "b"]
    command = " ".join(["rankdistill", "robustness", *map(str, words[:-1]), "."])
    seen: list[int] = []
    settings = {"dimensions": [32, 16], "precisions": ["float32"], "draws": 1, "backend": "torch", "command": command}
    found = robustness(*towers, str(tmp_path / "a"), progress=seen.append, **settings)  # type: ignore[arg-type]
    assert sum(seen) > 0
    assert rankdistill("robustness", *words)[0] == 0
    same(tmp_path / "a", tmp_path / "b")
    assert repr(found) == f"Robustness(teacher, student, asymmetric: {found.data}, test, 6 queries)"
    assert str(found).endswith(str(tmp_path / "a" / "report.html"))
    assert found.to_polars()["dimension"].to_list() == [32, 16] * 3
    assert len(found.to_pandas()) == 6
    assert len(found.plot().axes) == 6
    opened = rd.open(tmp_path / "a")
    assert json.dumps(opened.to_json()) == json.dumps(found.to_json())
    again = robustness(*towers, found, **settings)  # type: ignore[arg-type]
    assert json.dumps(again.to_json()) == json.dumps(found.to_json())
    with pytest.raises(StaleOutputError):
        robustness(*towers, tmp_path / "a", **settings | {"draws": 2})  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="dimensions of robustness"):
        robustness(*towers, tmp_path / "c", dimensions="32,16")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="from 1 to 32"):
        robustness(*towers, tmp_path / "c", dimensions=[33], backend="torch")


def test_the_recall_of_an_index(tiny_beir: Path, tiny_encoder: str, tmp_path: Path, rankdistill: Run) -> None:
    words = ["--data", tiny_beir, "--query-model", tiny_encoder, "--document-model", tiny_encoder, "--backend", "torch"]
    words += ["--factory", "HNSW8", "--search", "efSearch=4,1", "--repeats", "0", "--out", tmp_path / "b"]
    command = " ".join(["rankdistill", "ann-recall", *map(str, words[:-1]), "."])
    towers = (str(tiny_beir), tiny_encoder, tiny_encoder)
    search = {"efSearch": [1, 4]}
    given = {"factory": "HNSW8", "search": search, "repeats": 0, "backend": "torch", "command": command}
    found = ann_recall(*towers, tmp_path / "a", **given)  # type: ignore[arg-type]
    assert rankdistill("ann-recall", *words)[0] == 0
    same(tmp_path / "a", tmp_path / "b")
    assert found.to_polars()["value"].to_list() == [1, 4, 1, 4]
    assert "efSearch for 0.95" in str(found)
    assert len(found.plot().axes[0].get_lines()) == 2
    assert json.dumps(rd.open(found).to_json()) == json.dumps(found.to_json())
    for wrong in ({}, {"efSearch": [0]}, {"efSearch": [1], "nprobe": [1]}):
        with pytest.raises(ConfigError, match="one search parameter"):
            ann_recall(*towers, tmp_path / "c", search=wrong)
    with pytest.raises(ConfigError, match="repeats of at least 0"):
        ann_recall(*towers, tmp_path / "c", repeats=-3)


def test_the_prunings_of_a_sparse_model(tiny_beir: Path, tiny_splade: str, tmp_path: Path, rankdistill: Run) -> None:
    words = ["--data", tiny_beir, "--model", tiny_splade, "--document-terms", "8,2", "--thresholds", "0.2"]
    words += ["--out", tmp_path / "b"]
    command = " ".join(["rankdistill", "sparsity", *map(str, words[:-1]), "."])
    found = sparsity(tiny_beir, tiny_splade, tmp_path / "a", document_terms=[8, 2], thresholds=[0.2], command=command)
    status, shown = rankdistill("sparsity", *words, "--json")
    assert status == 0
    assert json.loads(shown)["rows"][1]["pruning"] == "document terms 8"
    same(tmp_path / "a", tmp_path / "b", "manifest.json", "sparsity.json")  # the command names --json
    kept = ["all terms", "document terms 8", "document terms 2", "weights from 0.2"]
    assert found.to_polars()["kept"].to_list() == kept
    assert repr(found) == f"Sparsity({found.data}, test: 6 queries, 3 prunings)"
    with pytest.raises(ConfigError, match="at least 1 term"):
        sparsity(tiny_beir, tiny_splade, tmp_path / "c", query_terms=[0])


def test_the_terms_of_a_text(tiny_splade: str, rankdistill: Run) -> None:
    found = explain(Path(tiny_splade), "the deep river", top=2)
    (text,) = found.texts
    assert f"and {len(text.terms) - 2} more" in str(found)
    assert found.to_polars()["term"].to_list() == [term.term for term in text.terms]
    assert repr(found) == f"Explanation({tiny_splade!r}: {len(text.terms):,} terms of 1 texts)"
    shared = explain(tiny_splade, ["a deep river", "bread"], query="river", top=0)
    assert str(shared).count("; score ") == 2
    status, shown = rankdistill("explain", "--model", tiny_splade, "--text", "the deep river", "--json")
    assert status == 0
    assert json.loads(shown)["texts"] == json.loads(json.dumps(found.to_json()))["texts"]
    with pytest.raises(ConfigError, match="leave one of the two out"):
        explain(tiny_splade, "a", as_="query", query="b")
    with pytest.raises(ConfigError, match="as_ of explain"):
        explain(tiny_splade, "a", as_="title")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="0 prints all"):
        explain(tiny_splade, "a", top=-1)
