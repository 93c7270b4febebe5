"""What evaluation costs over mteb, and in memory: that both benchmarks measure what they say, at a small size."""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import evaluation_memory, evaluation_overhead, provenance
from benchmarks.evaluation_memory import make_collection, make_model
from rankdistill import data


@pytest.fixture
def measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs a benchmark with results into a folder of the test; gives what it wrote."""
    monkeypatch.setattr(provenance, "RESULTS", tmp_path)

    def run(module: Any, *words: object) -> Any:
        name = module.__name__.rpartition(".")[2]
        monkeypatch.setattr(sys, "argv", [name, "--work", str(tmp_path / "work"), *map(str, words)])
        module.main()
        return json.loads((tmp_path / f"{name}.json").read_text())

    return run


def test_a_collection_is_made_once_and_its_queries_find_their_documents(tmp_path: Path) -> None:
    folder = make_collection(tmp_path / "many", 500)
    before = (folder / "corpus.jsonl").stat().st_mtime_ns
    found = data.load(make_collection(folder, 500))
    assert (folder / "corpus.jsonl").stat().st_mtime_ns == before
    assert len(found.doc_ids) == 500
    assert len(found.queries("test")) == 200
    assert all(found.contents[next(iter(found.qrels("test")[key]))].strip().startswith(text)
               for key, text in found.queries("test").items())  # fmt: skip


@pytest.mark.filterwarnings("ignore:The fill_missing parameter:DeprecationWarning")  # mteb calls itself so
@pytest.mark.filterwarnings("ignore:The `get_sentence_embedding_dimension` method:FutureWarning")  # and by an old name
def test_both_measure_the_same_and_the_ratio_is_that_of_the_seconds(measured: Any, tmp_path: Path) -> None:
    folder = make_collection(tmp_path / "some", 300)
    model = make_model(tmp_path / "model", 16)
    corpus = folder / "corpus.jsonl"
    with gzip.open(f"{corpus}.gz", "wb") as packed:
        packed.write(corpus.read_bytes())
    corpus.unlink()
    found = measured(evaluation_overhead, "--data", folder, "--model", model, "--rounds", 1, "--most", 1000)
    ours, theirs = found["ours"], found["mteb"]
    assert ours["ndcg_at_10"] == pytest.approx(theirs["ndcg_at_10"], abs=1e-4)
    assert 0.1 < ours["ndcg_at_10"] < 1
    assert found["ratio"] == pytest.approx(ours["seconds"] / theirs["seconds"], rel=1e-3)


def test_more_time_than_allowed_is_a_failure(measured: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = {"ndcg_at_10": 0.5, "recall_at_100": 0.5}
    given = {"ours": {"seconds": 1.2, **values}, "mteb": {"seconds": 1.0, **values}, "ratio": 1.2}
    monkeypatch.setattr(evaluation_overhead, "measured", lambda *arguments: given)
    with pytest.raises(SystemExit, match=r"x1\.200"):
        measured(evaluation_overhead, "--data", tmp_path, "--model", "MODEL")
    given["ours"]["ndcg_at_10"] = 0.6
    with pytest.raises(SystemExit, match="do not measure the same: ndcg_at_10"):
        measured(evaluation_overhead, "--data", tmp_path, "--model", "MODEL", "--most", 2)


@pytest.mark.slow
def test_memory_grows_by_little_more_than_the_vectors(measured: Any) -> None:
    found = measured(evaluation_memory, "--documents", 2000, 50_000, "--dimension", 128)
    small, large = found["rows"]
    assert small["recall_at_100"] > 0.9
    grown = large["peak_mib"] - small["peak_mib"]
    vectors = large["vectors_mib"] - small["vectors_mib"]
    assert grown < 2 * vectors + 60, "texts of 50,000 documents take some 20 MiB, blocks of vectors 32"
