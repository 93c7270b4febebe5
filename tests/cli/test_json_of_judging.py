"""`--json` of the verbs that search and judge: one JSON object on standard output, and nothing else there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rankdistill.cli.evaluate import evaluate
from rankdistill.cli.fuse import fuse
from rankdistill.cli.index import index
from rankdistill.cli.rerank import rerank
from rankdistill.cli.search import search
from rankdistill.errors import ConfigError
from tests.cli.verb import run_verb


def test_each_prints_one_object(tiny_beir: Path, tiny_cross_encoder: str, tmp_path: Path) -> None:
    def printed(*words: Any) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(run_verb(*words, "--json").stdout)
        return found

    of_data = ["--data", tiny_beir]
    built = printed(index, *of_data, "--backend", "bm25", "--out", tmp_path / "words")
    assert (built["documents"], built["kind"], built["factory"]) == (40, "text", "bm25")
    hits = printed(search, "--index", tmp_path / "words", "--query", "a river", "--query", "zzz", "--k", 2)["queries"]
    assert [len(one["hits"]) for one in hits] == [2, 0]
    assert hits[0]["hits"][0].keys() == {"rank", "score", "doc_id", "text", "fields"}
    first = printed(evaluate, *of_data, "--model", "bm25", "--out", tmp_path / "first")
    written = json.loads((tmp_path / "first" / "results.json").read_text())
    assert first == {"evaluation": str(tmp_path / "first"), **written}
    again = printed(evaluate, *of_data, "--model", tmp_path / "first", "--name", "again", "--out", tmp_path / "again")
    assert again["ndcg_at_10"] == first["ndcg_at_10"]
    runs = f"{tmp_path / 'first'},{tmp_path / 'again'}"
    fused = printed(fuse, *of_data, "--runs", runs, "--weights", "1,2")
    assert [one["name"] for one in fused["systems"]] == ["BM25", "again", "rrf of BM25 + again"]
    assert fused["fusion"]["weights"] == [1, 2]
    line = ["--run", tmp_path / "first", "--model", tiny_cross_encoder, "--depth", 5, "--out", tmp_path / "new"]
    ranked = printed(rerank, *of_data, *line)
    assert ranked["systems"][0]["measures"] == first["system"]["measures"]
    assert ranked["evaluation"] == str(tmp_path / "new")


def test_a_recipe_of_an_index_wins_over_nothing_silently(tiny_beir: Path, tmp_path: Path) -> None:
    line = ["--data", tiny_beir, "--out", tmp_path / "out", "--recipe", "hnsw32"]
    for beside in (["--factory", "Flat"], ["--shard-size", 7], ["--search", "efSearch=8"], ["--backend", "bm25"]):
        with pytest.raises(ConfigError, match="not both"):
            run_verb(index, *line, *beside)
    assert not (tmp_path / "out").exists()


def test_a_kind_is_named_where_the_model_does_not_tell_it(tiny_beir: Path, tiny_splade: str, tmp_path: Path) -> None:
    line = ["--data", tiny_beir, "--model", tiny_splade, "--backend", "torch"]
    run_verb(index, *line, "--out", tmp_path / "told")
    run_verb(index, *line, "--kind", "dense", "--out", tmp_path / "named")
    kinds = [json.loads((tmp_path / name / "manifest.json").read_text())["parameters"]["kind"] for name in
             ("told", "named")]  # fmt: skip
    assert kinds == ["sparse", "dense"]
