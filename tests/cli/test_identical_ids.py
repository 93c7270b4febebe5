"""What public collections hold that a careful reader might refuse: as a user meets it on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from rankdistill.cli.ann_recall import ann_recall
from rankdistill.cli.compare import compare
from rankdistill.cli.evaluate import evaluate
from rankdistill.cli.fuse import fuse
from rankdistill.cli.mine import mine
from rankdistill.cli.rerank import rerank
from rankdistill.cli.robustness import robustness
from rankdistill.cli.sparsity import sparsity
from rankdistill.mining import candidates
from tests import arguana
from tests.cli.verb import run_verb


def write(folder: Path, documents: dict[str, str], queries: dict[str, str], qrels: list[tuple[str, str, int]]) -> Path:
    (folder / "qrels").mkdir(parents=True)
    for name, texts in (("corpus", documents), ("queries", queries)):
        rows = [json.dumps({"_id": one, "title": "", "text": text}) for one, text in texts.items()]
        (folder / f"{name}.jsonl").write_text("\n".join(rows) + "\n")
    lines = ["query-id\tcorpus-id\tscore", *("\t".join(map(str, row)) for row in qrels)]
    (folder / "qrels" / "test.tsv").write_text("\n".join(lines) + "\n")
    return folder


def results(folder: Path) -> dict[str, object]:
    return json.loads((folder / "results.json").read_text())


def test_a_query_that_is_a_document_does_not_find_itself(tmp_path: Path) -> None:
    texts = {
        "pro1": "zoos teach children about animals and protect species",
        "con1": "zoos harm animals and do not protect any species",
        "pro2": "homework trains children to learn alone",
        "con2": "homework keeps children from sleep and does not train them",
    }
    queries = {name: texts[name] for name in ("pro1", "pro2")}
    data = write(tmp_path / "data", texts, queries, [("pro1", "con1", 1), ("pro2", "con2", 1)])
    shown = run_verb(evaluate, "--data", data, "--model", "bm25", "--through", "all", "--out", tmp_path / "out")
    assert results(tmp_path / "out")["ndcg_at_10"] == 1
    assert results(tmp_path / "out")["through"]["mteb"]["ndcg_at_10"] == 1  # type: ignore[index]
    assert "2 queries of 'test' stand in the corpus, under their own id" in shown.stderr
    by_hand = run_verb(
        evaluate, "--data", data, "--model", "bm25", "--through", "all", "--keep-identical-ids", "--out", tmp_path / "k"
    )
    assert results(tmp_path / "k")["ndcg_at_10"] == pytest.approx(0.63093, abs=1e-5)
    assert "note:" not in by_hand.stderr
    run_verb(mine, "--data", data, "--split", "test", "--depth", 3, "--out", tmp_path / "c")
    found = pl.DataFrame(candidates.read(tmp_path / "c"))
    assert found.filter(pl.col("query_id") == pl.col("doc_id")).is_empty()


def test_judgements_of_absent_documents_count(tmp_path: Path) -> None:
    """.5377 by pytrec_eval on the same run and the qrels as they are."""
    documents = {"d1": "red river in the north", "d2": "a violin of glass"}
    queries = {"q1": "river north", "q2": "violin", "q3": "glass"}
    qrels = [("q1", "d1", 1), ("q2", "d2", 1), ("q2", "gone1", 1), ("q3", "gone2", 1)]
    data = write(tmp_path / "data", documents, queries, qrels)
    for name, words in (("strict", []), ("lenient", ["--lenient"])):
        words = ["--data", data, "--model", "bm25", "--through", "all", "--out", tmp_path / name, *words]
        shown = run_verb(evaluate, *words)
        assert "2 of 4 judgements of 'test' name documents that the corpus lacks" in shown.stderr
        assert results(tmp_path / name)["ndcg_at_10"] == pytest.approx(0.5377, abs=5e-5)
        assert results(tmp_path / name)["queries"] == 3
    assert "no candidates" in run_verb(mine, "--data", data, "--split", "test", "--out", tmp_path / "c").stderr


def test_ids_with_spaces_are_measured_fused_re_ranked_and_compared(tmp_path: Path, tiny_cross_encoder: str) -> None:
    documents = {"Ada One": "Ada One likes owls", "Bea Two": "Bea Two likes rain"}
    data = write(tmp_path / "data", documents, {"q 1": "who likes owls"}, [("q 1", "Ada One", 1)])
    run_verb(mine, "--data", data, "--split", "test", "--depth", 2, "--out", tmp_path / "c")
    assert set(pl.DataFrame(candidates.read(tmp_path / "c"))["doc_id"]) == set(documents)
    run_verb(evaluate, "--data", data, "--model", "bm25", "--through", "all", "--out", tmp_path / "out")
    assert results(tmp_path / "out")["ndcg_at_10"] == 1
    assert not (tmp_path / "out" / "run.trec").exists()
    runs = f"{tmp_path / 'out'},{tmp_path / 'out' / 'run.parquet'}"
    run_verb(fuse, "--data", data, "--runs", runs, "--out", tmp_path / "fused")
    assert results(tmp_path / "fused")["ndcg_at_10"] == 1
    run_verb(
        rerank, "--data", data, "--run", tmp_path / "out", "--model", tiny_cross_encoder, "--backend", "torch",
        "--out", tmp_path / "again",
    )  # fmt: skip
    run_verb(compare, tmp_path / "again", "--baseline", tmp_path / "out", "--out", tmp_path / "c2")


def test_every_verb_that_measures_follows_the_rule(tmp_path: Path, tiny_encoder: str, tiny_splade: str) -> None:
    """Exact search of the same vectors: each gives the number of `evaluate`, with the document and without."""
    data = arguana.write(tmp_path / "arguana")
    for flag in ("--ignore-identical-ids", "--keep-identical-ids"):
        words, out = ["--data", data, "--split", "test", flag], tmp_path / flag
        run_verb(evaluate, *words, "--model", tiny_encoder, "--backend", "torch", "--out", out / "e")
        run_verb(evaluate, *words, "--model", tiny_splade, "--factory", "exact", "--out", out / "s")
        expected = results(out / "e")["ndcg_at_10"]
        towers: list[object] = ["--query-model", tiny_encoder, "--document-model", tiny_encoder, "--backend", "torch"]
        run_verb(robustness, *words, *towers, "--dimensions", 32, "--precisions", "float32", "--out", out / "r")
        grid = json.loads((out / "r" / "robustness.json").read_text())
        assert grid["systems"][0]["full"] == pytest.approx(expected, abs=1e-6)
        searched = ["--factory", "IVF1,Flat", "--search", "nprobe=1", "--repeats", 0]
        run_verb(ann_recall, *words, *towers, *searched, "--out", out / "a")
        curve = json.loads((out / "a" / "ann.json").read_text())["curves"][0]
        assert curve["exact"] == pytest.approx(expected, abs=1e-6)
        assert curve["points"][0]["ndcg_at_10"] == pytest.approx(expected, abs=1e-6)
        run_verb(sparsity, *words, "--model", tiny_splade, "--out", out / "p")
        rows = json.loads((out / "p" / "sparsity.json").read_text())["rows"]
        assert rows[0]["measures"]["ndcg_at_10"] == pytest.approx(results(out / "s")["ndcg_at_10"], abs=1e-6)
    kept, left_out = (results(tmp_path / flag / "e") for flag in ("--keep-identical-ids", "--ignore-identical-ids"))
    assert kept["map_at_100"] < left_out["map_at_100"]  # type: ignore[operator]
