"""The verbs `evaluate`, `rerank` and `fuse`, called from Python."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

import rankdistill as rd
from rankdistill import data
from rankdistill.cli.evaluate import evaluate as cli_evaluate
from rankdistill.errors import ConfigError, ModelReferenceError
from rankdistill.evaluation.evaluating import Costs
from rankdistill.evaluation.evaluating import evaluate as library_evaluate
from rankdistill.evaluation.footprint import footprint
from rankdistill.evaluation.opening import open_retriever
from rankdistill.evaluation.rerank import Reranker
from rankdistill.evaluation.results import Evaluation
from rankdistill.evaluation.retrieve import Bm25Retriever
from rankdistill.indexing import StoredIndex, load
from rankdistill.teachers import load as load_teacher
from tests.cli.verb import run_verb


@pytest.fixture
def first(tiny_beir: Path, tmp_path: Path) -> Evaluation:
    """BM25 on the test split."""
    return rd.evaluate(str(tiny_beir), "bm25", str(tmp_path / "first"))


@pytest.fixture
def index(tiny_beir: Path, tiny_encoder: str, tmp_path: Path) -> StoredIndex:
    """The tiny encoder's vectors."""
    return rd.index(tiny_beir, tiny_encoder, tmp_path / "index", backend="torch")


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file() and path.name != ".lock"}


def test_an_evaluation_shows_what_it_found(first: Evaluation, tmp_path: Path) -> None:
    mean = first.system.measures["ndcg_at_10"]
    assert first.path == tmp_path / "first"
    assert os.fspath(first) == str(tmp_path / "first")
    assert repr(first).startswith(f"Evaluation('{tmp_path / 'first'}': BM25 on 6 queries, nDCG@10 {mean:.4f}")
    assert "tiny, test, 6 queries" in str(first)
    assert f"{mean:.4f}" in str(first)
    assert f"{mean:.4f}" in first._repr_html_()
    assert first.to_polars().get_column("ndcg_at_10").mean() == pytest.approx(mean)
    assert next(iter(first.to_pandas().columns)) == "query_id"
    written = json.loads((tmp_path / "first" / "results.json").read_text())
    assert first.to_json() == {"evaluation": str(tmp_path / "first"), **written}
    assert Evaluation.read(tmp_path / "first") == first


@pytest.mark.parametrize("name", ["", " ", "two\nlines", "red \x1b[31m"])
def test_a_name_that_no_table_can_hold_is_refused(
    first: Evaluation, tiny_beir: Path, tmp_path: Path, name: str
) -> None:
    out = tmp_path / "out"
    for call in (
        lambda: rd.evaluate(tiny_beir, "bm25", out, name=name),
        lambda: rd.fuse(tiny_beir, [first, first], out, name=name),
        lambda: rd.rerank(tiny_beir, first, "nowhere", out, name=name),
    ):
        with pytest.raises(ConfigError, match="a name of printable characters"):
            call()
    assert not out.exists()


def test_an_evaluation_draws_its_queries(first: Evaluation, tmp_path: Path) -> None:
    drawn = first.plot()
    (axes,) = drawn.axes
    assert sum(bar.get_height() for bar in axes.containers[0]) == first.queries
    assert f"mean {first.system.measures['ndcg_at_10']:.4f}" in axes.get_title(loc="left")
    assert axes.get_xlabel() == "nDCG@10 of a query"
    assert drawn._repr_png_().startswith(b"\x89PNG"), "a notebook shows it without pyplot"
    drawn.savefig(tmp_path / "plot.png")
    assert (tmp_path / "plot.png").stat().st_size > 1000
    assert first.plot("recall_at_100").axes[0].get_xlabel() == "R@100 of a query"
    with pytest.raises(ConfigError, match="ndcg_at_10"):
        first.plot("speed")
    with pytest.raises(ConfigError, match="was not written"):
        _ = Evaluation(system=first.system, queries=6).path


def test_the_bytes_are_those_of_the_command_line(tiny_beir: Path, index: StoredIndex, tmp_path: Path) -> None:
    run_verb(cli_evaluate, "--data", tiny_beir, "--index", index.folder, "--backend", "torch", "--out", tmp_path / "a")
    command = json.loads((tmp_path / "a" / "manifest.json").read_text())["command"]
    rd.evaluate(data.load(tiny_beir), index, tmp_path / "b", backend="torch", command=command)
    assert bytes_of(tmp_path / "a") == bytes_of(tmp_path / "b")


def test_systems_of_an_experiment_have_the_bytes_that_they_had(
    tiny_beir: Path, tiny_encoder: str, tiny_cross_encoder: str, index: StoredIndex, tmp_path: Path
) -> None:
    """A model on an index, and a teacher behind BM25 whose size is told, as recipes evaluate them."""
    dataset = data.load(tiny_beir)
    system = open_retriever(dataset, tiny_encoder, index.folder, name="student", backend="torch")
    size = footprint(tiny_encoder)
    costs = Costs(model_bytes=size.model_bytes, parameters=size.parameters, index_bytes=system.index_bytes)
    library_evaluate(system, dataset, "dev", tmp_path / "a", costs=costs, command="rankdistill run")
    settings: dict[str, Any] = {"split": "dev", "backend": "torch", "command": "rankdistill run"}
    rd.evaluate(dataset, (tiny_encoder, index), tmp_path / "b", name="student", **settings)
    rd.evaluate(dataset, tiny_encoder, tmp_path / "c", index=index.folder, name="student", **settings)
    rd.evaluate(dataset, index, tmp_path / "d", query_model=tiny_encoder, name="student", **settings)
    assert bytes_of(tmp_path / "a") == bytes_of(tmp_path / "b") == bytes_of(tmp_path / "c") == bytes_of(tmp_path / "d")

    teacher = load_teacher(tiny_cross_encoder, "cross_encoder", "torch", 32)
    ranker = Reranker(dataset, Bm25Retriever(dataset, tokenizer="words"), teacher, "teacher", 5)
    size = footprint(tiny_cross_encoder)
    costs = Costs(model_bytes=size.model_bytes, parameters=size.parameters)
    library_evaluate(ranker, dataset, "dev", tmp_path / "e", costs=costs)
    rd.evaluate(
        dataset, "bm25:words", tmp_path / "f", split="dev", name="teacher", rerank=tiny_cross_encoder, rerank_depth=5,
        rerank_kind="cross_encoder", rerank_backend="torch", rerank_max_length=32, size_of=tiny_cross_encoder,
    )  # fmt: skip
    assert bytes_of(tmp_path / "e") == bytes_of(tmp_path / "f")


def test_what_scores_pairs_may_be_an_object(
    first: Evaluation, tiny_beir: Path, tiny_cross_encoder: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    scorer = load_teacher(tiny_cross_encoder, "cross_encoder", "torch", 32)
    settings: dict[str, Any] = {"kind": "cross_encoder", "backend": "torch", "max_length": 32}
    by_name = rd.rerank(tiny_beir, first, tiny_cross_encoder, tmp_path / "a", name="teacher", **settings)
    by_object = rd.rerank(tiny_beir, first, scorer, tmp_path / "b", name="teacher")
    assert bytes_of(by_name.path) == bytes_of(by_object.path)
    assert caplog.text == ""
    found = rd.evaluate(tiny_beir, first, tmp_path / "c", rerank=scorer, rerank_kind="dense")
    assert found.system.name == f"{type(scorer).__name__} on {first.system.name}"
    assert found.system.measures == by_object.evaluation.system.measures
    assert "kind: without effect" in caplog.text
    with pytest.raises(ConfigError, match="rerank of evaluate"):
        rd.evaluate(tiny_beir, first, tmp_path / "d", rerank=object())


def test_what_lies_there_tells_what_a_system_is(
    first: Evaluation, index: StoredIndex, tiny_beir: Path, tiny_encoder: str, tmp_path: Path
) -> None:
    of_model = rd.evaluate(tiny_beir, tiny_encoder, tmp_path / "model", backend="torch")
    of_pair = rd.evaluate(tiny_beir, (tiny_encoder, Path(tiny_encoder)), tmp_path / "pair", backend="torch")
    of_index = rd.evaluate(tiny_beir, str(index.folder), tmp_path / "by-index", backend="torch")
    assert of_model.system.measures == pytest.approx(of_pair.system.measures)
    assert of_model.system.measures == pytest.approx(of_index.system.measures)
    assert of_index.system.index_bytes == index.size
    runs: list[Any] = [first, str(first.path), first.path / "run.trec"]
    for place, run in enumerate(runs):
        again = rd.evaluate(tiny_beir, run, tmp_path / f"run{place}", name="again")
        assert again.system.measures == first.system.measures
        assert again.system.name == "again"
        assert again.system.model_bytes is None


def test_systems_that_are_not_clear_are_refused(
    first: Evaluation, index: StoredIndex, tiny_beir: Path, tiny_encoder: str, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    unclear: list[tuple[Any, dict[str, Any]]] = [
        (None, {}),
        (None, {"query_model": tiny_encoder}),
        (tiny_encoder, {"query_model": tiny_encoder}),
        (tiny_encoder, {"document_model": tiny_encoder}),
        (index, {"document_model": tiny_encoder}),
        (index, {"index": index}),
        (first, {"index": index}),
        ([first, first], {}),
        ([], {}),
    ]
    for system, settings in unclear:
        with pytest.raises(ConfigError, match="not clear"):
            rd.evaluate(tiny_beir, system, out, **settings)
    words = rd.index(tiny_beir, None, tmp_path / "words", factory="bm25")
    ineffective: list[tuple[Any, dict[str, Any]]] = [
        ("bm25", {"factory": "HNSW32"}),
        ("bm25", {"index": index}),
        ("bm25:words", {"unaligned": True}),
        ("bm25", {"max_length": 16}),
        ("bm25", {"backend": "torch"}),
        (first, {"embeddings": tmp_path}),
        (first, {"latency": 3}),
        (first, {"max_length": 16, "rerank": tiny_encoder}),
        (first, {"backend": "torch"}),
        (tiny_encoder, {"unaligned": True}),
        (index, {"unaligned": True}),
        (words, {"max_length": 16}),
        (words, {"backend": "torch"}),
        *(
            ("bm25", {"tasks": "SciFact", **one})
            for one in ({"embeddings": tmp_path}, {"unaligned": True}, {"max_length": 16}, {"backend": "torch"})
        ),
        (tiny_encoder, {"tasks": "SciFact", "unaligned": True}),
    ]
    for system, settings in ineffective:
        with pytest.raises(ConfigError, match="no effect"):
            rd.evaluate(None if "tasks" in settings else tiny_beir, system, out, **settings)
    with pytest.raises(ConfigError, match="through of evaluate"):
        rd.evaluate(tiny_beir, "bm25", out, through="trec")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="rerank_depth is meant"):
        rd.evaluate(tiny_beir, "bm25", out, rerank_dept=3)  # type: ignore[call-arg]
    with pytest.raises(ConfigError, match="rerank_depth of at least 1"):
        rd.evaluate(tiny_beir, "bm25", out, rerank=tiny_encoder, rerank_depth=0)
    with pytest.raises(ModelReferenceError):
        rd.evaluate(tiny_beir, str(tmp_path / "nowhere"), out)
    assert not out.exists()


def test_a_loaded_index_keeps_how_it_is_searched(tiny_beir: Path, tiny_encoder: str, tmp_path: Path) -> None:
    rd.index(tiny_beir, tiny_encoder, tmp_path / "graph", factory="HNSW8", backend="torch")
    found = load(tmp_path / "graph", search_parameters={"efSearch": 99})
    kept = rd.evaluate(tiny_beir, found, tmp_path / "kept", backend="torch")
    named = rd.evaluate(
        tiny_beir, tmp_path / "graph", tmp_path / "named", search_parameters=["efSearch=99"], backend="torch"
    )
    assert kept.signature["system"]["index"]["efSearch"] == 99
    assert kept.signature["system"] == named.signature["system"]
    other = rd.evaluate(tiny_beir, found, tmp_path / "other", search_parameters={"efSearch": 7}, backend="torch")
    assert other.signature["system"]["index"]["efSearch"] == 7


def test_indexes_are_fused_with_weights_fitted_on_dev(
    index: StoredIndex, tiny_beir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = rd.index(tiny_beir, None, tmp_path / "words", factory="bm25")
    done: list[int] = []
    found = rd.evaluate(
        tiny_beir, [index, words.folder], tmp_path / "fused", fusion="z_score", fit_on="dev", backend="torch",
        progress=done.append,
    )  # fmt: skip
    assert "weights fitted on dev: " in str(found)
    assert "weights fitted on dev: " in found.to_json()["remarks"][0]
    assert found.system.index_bytes == index.size + words.size
    assert sum(done) > 0
    with pytest.raises(ConfigError, match="--fusion rrf"):
        rd.evaluate(tiny_beir, [index, words], tmp_path / "x")
    assert capsys.readouterr().out == ""


def test_a_run_is_re_ranked_beside_itself(
    first: Evaluation, tiny_beir: Path, tiny_cross_encoder: str, tmp_path: Path
) -> None:
    found = rd.rerank(tiny_beir, first, tiny_cross_encoder, tmp_path / "new", depth=5, progress=False)
    assert os.fspath(found) == str(tmp_path / "new")
    assert found.evaluation == Evaluation.read(tmp_path / "new")
    assert found.systems[0].measures == first.system.measures
    assert found.systems[1].measures != first.system.measures
    assert found.to_polars().get_column("system").to_list() == ["BM25", f"{Path(tiny_cross_encoder).name} on BM25"]
    assert found.to_pandas()["ndcg_at_10"].iloc[0] == first.system.measures["ndcg_at_10"]
    assert repr(found).startswith(f"Reranked('{tmp_path / 'new'}': nDCG@10 on 6 queries: BM25 ")
    assert "tiny, test, 6 queries" in str(found)
    assert "on BM25" in found._repr_html_()
    assert found.to_json()["evaluation"] == str(tmp_path / "new")
    with pytest.raises(ConfigError, match="depth of at least 1"):
        rd.rerank(tiny_beir, first, tiny_cross_encoder, tmp_path / "x", depth=0)
    with pytest.raises(ConfigError, match="depth is meant"):
        rd.rerank(tiny_beir, first, tiny_cross_encoder, tmp_path / "x", dept=3)  # type: ignore[call-arg]


def test_runs_are_fused_with_or_without_an_output(
    first: Evaluation, tiny_beir: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    second = rd.evaluate(tiny_beir, "bm25:words", tmp_path / "second")
    shown = rd.fuse(tiny_beir, [first, str(second.path)], weights=[1, 2])
    assert shown.fusion.weights == (1, 2)
    assert shown.to_json()["fusion"]["weights"] == [1, 2]
    assert shown.evaluation is None
    with pytest.raises(ConfigError, match="give an output"):
        os.fspath(shown)
    written = rd.fuse(tiny_beir, [first, second], tmp_path / "fused", name="both")
    assert written.evaluation is not None
    assert written.systems[-1].measures == written.evaluation.system.measures
    assert written.to_polars().get_column("system").to_list() == ["BM25", "BM25 words", "both"]
    on_dev = [
        rd.evaluate(tiny_beir, words, tmp_path / f"dev-{words[-5:]}", split="dev") for words in ("bm25", "bm25:words")
    ]
    fitted = rd.fuse(tiny_beir, [first, second], method="z_score", fit_on="dev", fit_runs=on_dev)
    assert "weights fitted on dev: " in str(fitted)
    assert fitted.fusion.weights is not None
    assert "no documents for" not in caplog.text
    with pytest.raises(ConfigError, match="--fit-runs"):
        rd.fuse(tiny_beir, [first, second], fit_runs=on_dev)
    with pytest.raises(ConfigError, match="at least two"):
        rd.fuse(tiny_beir, [first])
    with pytest.raises(ConfigError, match="runs of fuse"):
        rd.fuse(tiny_beir, 5)  # type: ignore[arg-type]
