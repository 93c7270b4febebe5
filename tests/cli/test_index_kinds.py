"""Sparse and BM25 indexes through `index`, `evaluate`, `search`, `explain` and `sparsity`, as a user types them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rankdistill import data, indexing
from rankdistill.data import Dataset, trec
from rankdistill.evaluation.opening import open_retriever
from rankdistill.evaluation.retrieve import Bm25Retriever
from rankdistill.inference.sparse_encoder import SparseTextEncoder
from tests.cli.verb import Run

QUERY = "what is the deep river"


@pytest.fixture
def dataset(tiny_beir: Path) -> Dataset:
    return data.load(tiny_beir)


def expected_scores(model: str, dataset: Dataset, queries: list[str]) -> np.ndarray:
    encoder = SparseTextEncoder(model)
    product = encoder.encode_queries(queries) @ encoder.encode_documents(list(dataset.contents.values())).T
    found: np.ndarray = product.toarray()
    return found


@pytest.mark.parametrize("backend", ["exact", "seismic"])
def test_a_sparse_index_is_built_evaluated_and_searched_without_naming_its_model(
    rankdistill: Run, tiny_beir: Path, dataset: Dataset, tiny_splade: str, tmp_path: Path, backend: str
) -> None:
    if backend == "seismic":
        pytest.importorskip("seismic")
    line: list[Any] = ["index", "--data", tiny_beir, "--model", tiny_splade, "--backend", backend]
    assert rankdistill(*line, "--shard-size", 25, "--out", tmp_path / "index")[0] == 0
    made = indexing.load(tmp_path / "index")
    assert (made.kind.name, made.factory, made.ids) == ("sparse", backend, dataset.doc_ids)
    evaluated: list[Any] = ["evaluate", "--index", tmp_path / "index", "--data", tiny_beir, "--out", tmp_path / "out"]
    status, output = rankdistill(*evaluated)
    assert status == 0, output
    queries = dataset.queries("test")
    scores = expected_scores(tiny_splade, dataset, list(queries.values()))
    run, _ = trec.read_run(tmp_path / "out" / "run.trec")
    for row, query_id in enumerate(queries):
        best = sorted(run[query_id].values(), reverse=True)[:10]
        assert best == pytest.approx(np.sort(scores[row])[::-1][: len(best)], rel=5e-3)
    status, output = rankdistill("search", "--index", tmp_path / "index", "--query", QUERY, "--k", 3)
    first = dataset.doc_ids[int(expected_scores(tiny_splade, dataset, [QUERY])[0].argmax())]
    assert (status, first in output.split()) == (0, True)


def test_a_model_in_memory_finds_what_its_index_finds(
    dataset: Dataset, tiny_splade: str, tiny_beir: Path, tmp_path: Path
) -> None:
    indexing.build(dataset, tiny_splade, tmp_path / "index")
    queries = dataset.queries("test")
    built = open_retriever(dataset, index=tmp_path / "index")
    memory = open_retriever(dataset, tiny_splade)
    assert built.retrieve(queries, 10) == memory.retrieve(queries, 10)
    assert memory.index_bytes is None
    assert built.index_bytes == indexing.load(tmp_path / "index").size


def test_a_bm25_index_finds_what_bm25_finds_with_the_parameters_that_it_was_built_with(
    rankdistill: Run, tiny_beir: Path, dataset: Dataset, tmp_path: Path
) -> None:
    line: list[Any] = ["index", "--data", tiny_beir, "--backend", "bm25"]
    parameters = ["--parameter", "k1=1.2", "--parameter", "b=0.75"]
    assert rankdistill(*line, *parameters, "--out", tmp_path / "index")[0] == 0
    status, output = rankdistill(
        "evaluate", "--index", tmp_path / "index", "--data", tiny_beir, "--out", tmp_path / "o"
    )
    assert status == 0, output
    queries = dataset.queries("test")
    expected = Bm25Retriever(dataset, k1=1.2, b=0.75).retrieve(queries, 100)
    assert open_retriever(dataset, index=tmp_path / "index").retrieve(queries, 100) == expected
    assert "bm25" in output


def test_an_index_of_another_model_or_vocabulary_is_refused(
    rankdistill: Run, tiny_beir: Path, tiny_splade: str, tiny_encoder: str, tmp_path: Path
) -> None:
    from transformers import AutoModelForMaskedLM, AutoTokenizer

    indexing.build(data.load(tiny_beir), tiny_splade, tmp_path / "index")
    tokenizer, model = AutoTokenizer.from_pretrained(tiny_splade), AutoModelForMaskedLM.from_pretrained(tiny_splade)
    model.get_input_embeddings().weight.data += 0.1
    for part in (model, tokenizer):
        part.save_pretrained(tmp_path / "other")
    words = tokenizer.get_vocab()
    tokenizer.add_tokens(["quay"])
    model.resize_token_embeddings(len(words) + 1, mean_resizing=False)
    for part in (model, tokenizer):
        part.save_pretrained(tmp_path / "larger")
    line: list[Any] = ["search", "--index", tmp_path / "index", "--query", QUERY, "--model"]
    for name, said in (("other", "trained together"), ("larger", "another term")):
        status, output = rankdistill(*line, tmp_path / name)
        assert status == 1
        assert "SpaceMismatchError" in output
        assert said in output
    status, output = rankdistill(*line, tiny_encoder)
    assert (status, "a sparse encoder" in output, "Traceback" in output) == (1, True, False)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--backend", "bm25", "--model", "MODEL"], "no model for the back end 'bm25'"),
        (["--backend", "seismic"], "a model for the back end 'seismic'"),
        (["--backend", "bm25", "--shard-size", "10"], "one shard"),
        (["--backend", "bm25", "--parameter", "k3=1"], "build parameters of 'bm25'"),
        (["--backend", "bm26"], "at most one back end of the index"),
        (["--backend", "exact", "--backend", "seismic", "--model", "MODEL"], "at most one back end of the index"),
        (["--backend", "exact", "--model", "MODEL", "--search", "nprobe=3"], "search parameters of 'exact'"),
    ],
)
def test_bad_options_are_errors_of_ours(
    rankdistill: Run, tiny_beir: Path, tiny_splade: str, tmp_path: Path, words: list[str], said: str
) -> None:
    given = [tiny_splade if word == "MODEL" else word for word in words]
    status, output = rankdistill("index", "--data", tiny_beir, *given, "--out", tmp_path / "index")
    assert status == 1
    assert "ConfigError" in output
    assert said in output
    assert not (tmp_path / "index" / "manifest.json").exists()


def test_terms_are_explained(rankdistill: Run, tiny_splade: str) -> None:
    status, output = rankdistill("explain", "--model", tiny_splade, "--text", "the deep river", "--top", 4)
    assert (status, "expansion" in output, "more" in output) == (0, True, True)
    encoder = SparseTextEncoder(tiny_splade)
    product = encoder.encode_queries([QUERY]) @ encoder.encode_documents(["the deep river"]).T
    status, output = rankdistill("explain", "--model", tiny_splade, "--text", "the deep river", "--query", QUERY)
    assert f"score {product.toarray()[0, 0]:.4f}" in output
    status, output = rankdistill("explain", "--model", tiny_splade, "--text", "a", "--query", QUERY, "--as", "query")
    assert (status, output.split()[0]) == (1, "ConfigError")


def test_sparsity_is_measured_written_and_not_measured_twice(
    rankdistill: Run, tiny_beir: Path, tiny_splade: str, tmp_path: Path
) -> None:
    line: list[Any] = ["sparsity", "--data", tiny_beir, "--model", tiny_splade, "--out", tmp_path / "out"]
    status, output = rankdistill(*line, "--document-terms", "8,2", "--query-terms", 4, "--thresholds", "0.2")
    assert status == 0, output
    found = json.loads((tmp_path / "out" / "sparsity.json").read_text())
    names = ["all terms", "document terms 8", "document terms 2", "query terms 4", "weights from 0.2"]
    assert [row["pruning"] for row in found["rows"]] == names
    assert found["rows"][2]["cost"]["document_terms"] <= 2
    before = (tmp_path / "out" / "sparsity.json").stat().st_mtime_ns
    assert rankdistill(*line, "--document-terms", "8,2", "--query-terms", 4, "--thresholds", "0.2")[0] == 0
    assert (tmp_path / "out" / "sparsity.json").stat().st_mtime_ns == before
    status, output = rankdistill(*line, "--document-terms", "few")
    assert (status, output.split()[0]) == (1, "ConfigError")
