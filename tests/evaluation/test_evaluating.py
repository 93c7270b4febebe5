"""Evaluation folders, and comparisons of them."""

from __future__ import annotations

import json
import math
from pathlib import Path

import polars as pl
import pytest

from rankdistill import data
from rankdistill.data import Dataset, trec
from rankdistill.errors import ConfigError, DataError, StaleOutputError
from rankdistill.evaluation import run_files
from rankdistill.evaluation.comparing import compare, compare_per_query
from rankdistill.evaluation.evaluating import Costs, evaluate, read_per_query
from rankdistill.evaluation.footprint import footprint
from rankdistill.evaluation.measures import MEASURES, evaluate_run
from rankdistill.evaluation.results import Evaluation, Results, require_agreement
from rankdistill.evaluation.significance import holm, randomisation_test
from rankdistill.evaluation.stored_run import StoredRun
from tests.evaluation.fakes import FakeRetriever


def test_results_hold_the_means_as_flat_keys_and_the_run_gives_them_again(dataset: Dataset, tmp_path: Path) -> None:
    evaluate(FakeRetriever(dataset), dataset, "train", tmp_path / "out", command="how")
    written = json.loads((tmp_path / "out" / "results.json").read_text())
    run, _ = trec.read_run(tmp_path / "out" / "run.trec")
    assert {name: written[name] for name in MEASURES} == evaluate_run(run, dataset.qrels("train")).means
    assert written["signature"]["command"] == "how"
    assert written["signature"]["data_hash"] == dataset.fingerprint


def test_the_per_query_table_has_the_queries_of_the_split_and_the_means(dataset: Dataset, tmp_path: Path) -> None:
    found = evaluate(FakeRetriever(dataset), dataset, "dev", tmp_path)
    table = read_per_query(tmp_path)
    assert set(table.get_column("query_id")) == set(dataset.qrels("dev"))
    assert table.select(*MEASURES).mean().row(0, named=True) == pytest.approx(found.system.measures)
    for name, (low, high) in found.system.intervals.items():
        assert low <= found.system.measures[name] <= high


def test_an_evaluation_that_is_done_is_read_back(dataset: Dataset, tmp_path: Path) -> None:
    system = FakeRetriever(dataset)
    first = evaluate(system, dataset, "dev", tmp_path)
    assert evaluate(system, dataset, "dev", tmp_path) == first == Evaluation.read(tmp_path)
    assert len(system.calls) == 1


def test_another_system_or_split_does_not_overwrite(dataset: Dataset, tmp_path: Path) -> None:
    evaluate(FakeRetriever(dataset), dataset, "dev", tmp_path)
    with pytest.raises(StaleOutputError, match="system"):
        evaluate(FakeRetriever(dataset, seed=1), dataset, "dev", tmp_path)
    with pytest.raises(StaleOutputError, match="split"):
        evaluate(FakeRetriever(dataset), dataset, "test", tmp_path)


def test_ids_with_white_space_are_measured_and_the_run_is_parquet(tiny_beir: Path, tmp_path: Path) -> None:
    """A TREC file cannot hold them, which is no reason to refuse the data."""
    corpus = tiny_beir / "corpus.jsonl"
    corpus.write_text(corpus.read_text() + json.dumps({"_id": "d 40", "text": "glass"}) + "\n")
    dataset = data.load(tiny_beir)
    found = evaluate(FakeRetriever(dataset), dataset, "dev", tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir() if path.name != ".lock") == [
        "hits.parquet",
        "manifest.json",
        "per_query.parquet",
        "results.json",
        "run.parquet",
    ]
    run = run_files.read(run_files.find(tmp_path / "out"))
    assert any("d 40" in scores for scores in run.values())
    assert evaluate_run(run, dataset.qrels("dev")).means == found.system.measures
    stored = StoredRun(tmp_path / "out", dataset, "dev")
    assert evaluate(stored, dataset, "dev", tmp_path / "again").system.measures == found.system.measures
    assert StoredRun(tmp_path / "out" / "run.parquet", dataset, "dev").answered == stored.answered


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        ([], "no row"),
        ([("q", "d", 1.0), ("q", "d", 2.0)], "stands there twice, as query 'q', document 'd'"),
        ([("q", "d", math.nan)], "not finite, as query 'q', document 'd'"),
        ([("q", None, 1.0)], "None"),
    ],
)
def test_a_bad_run_in_parquet_is_refused(tmp_path: Path, rows: list[tuple[object, ...]], problem: str) -> None:
    schema = {"query_id": pl.String, "doc_id": pl.String, "score": pl.Float64}
    pl.DataFrame(rows, schema=schema, orient="row").write_parquet(tmp_path / "run.parquet")
    with pytest.raises(DataError, match=problem):
        run_files.read(tmp_path / "run.parquet")


def test_tools_that_disagree_are_an_error(dataset: Dataset, tmp_path: Path) -> None:
    found = evaluate(FakeRetriever(dataset), dataset, "dev", tmp_path, through=("beir", "mteb"))
    require_agreement(found)
    wrong = found.through | {"mteb": found.through["mteb"] | {"map_at_100": found.through["mteb"]["map_at_100"] + 1e-4}}
    with pytest.raises(DataError, match=r"mteb differs by 0\.00010"):
        require_agreement(found.model_copy(update={"through": wrong}))


def test_the_same_evaluation_gives_the_same_bytes(dataset: Dataset, tmp_path: Path) -> None:
    for name in ("a", "b"):
        evaluate(FakeRetriever(dataset), dataset, "dev", tmp_path / name, through=("beir",))
    files = ["results.json", "per_query.parquet", "run.trec", "manifest.json"]
    assert all((tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes() for file in files)


def test_tools_latency_and_costs_are_in_the_results(dataset: Dataset, tmp_path: Path) -> None:
    costs = Costs(model_bytes=4, index_bytes=5, parameters=6, teacher_seconds=7.5, teacher_pairs=8)
    found = evaluate(
        FakeRetriever(dataset), dataset, "dev", tmp_path, through=("beir", "mteb"), latency_queries=3, costs=costs
    )
    assert found.through.keys() == {"beir", "mteb"}
    assert all(values == pytest.approx(found.system.measures, abs=1e-4) for values in found.through.values())
    assert found.system.latency_ms is not None
    assert found.system.latency_ms.queries == 3
    assert (found.system.model_bytes, found.system.teacher_pairs) == (4, 8)


def test_a_run_too_shallow_for_its_measures_is_refused(dataset: Dataset, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="at least 100"):
        evaluate(FakeRetriever(dataset), dataset, "dev", tmp_path, depth=10)


def test_a_folder_without_an_evaluation_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="rankdistill evaluate"):
        Evaluation.read(tmp_path)
    (tmp_path / "results.json").write_text('{"ndcg_at_10": 1}')
    with pytest.raises(DataError, match="rankdistill evaluate"):
        Evaluation.read(tmp_path)


def test_comparing_tests_every_system_against_the_baseline_with_holms_correction(
    dataset: Dataset, tmp_path: Path
) -> None:
    for seed in range(3):
        evaluate(FakeRetriever(dataset, seed, f"s{seed}"), dataset, "train", tmp_path / f"s{seed}")
    results = compare([tmp_path / f"s{seed}" for seed in range(3)], tmp_path / "s0", command="how")
    assert [system.name for system in results.systems] == ["s0", "s1", "s2"]
    assert len(results.comparisons) == 2 * len(MEASURES)
    tables = [read_per_query(tmp_path / f"s{seed}").get_column("ndcg_at_10").to_numpy() for seed in range(3)]
    p_values = [randomisation_test(table, tables[0]) for table in tables[1:]]
    found = [one for one in results.comparisons if one.measure == "ndcg_at_10"]
    assert [one.p_value for one in found] == p_values
    assert [one.p_holm for one in found] == holm(p_values)
    assert [one.difference for one in found] == [pytest.approx((table - tables[0]).mean()) for table in tables[1:]]
    results.write(tmp_path)
    assert Results(**json.loads((tmp_path / "results.json").read_text())) == results


def test_evaluations_of_another_split_or_other_data_are_not_compared(
    dataset: Dataset, tiny_beir: Path, tmp_path: Path
) -> None:
    evaluate(FakeRetriever(dataset), dataset, "train", tmp_path / "a")
    evaluate(FakeRetriever(dataset), dataset, "dev", tmp_path / "b")
    qrels = tiny_beir / "qrels" / "train.tsv"
    qrels.write_text("\n".join(qrels.read_text().splitlines()[:-1]) + "\n")
    changed = data.load(tiny_beir)
    evaluate(FakeRetriever(changed), changed, "train", tmp_path / "c")
    for other, difference in (("b", "qrels_hash"), ("c", "qrels_hash")):
        with pytest.raises(DataError, match=difference):
            compare([tmp_path / other], tmp_path / "a")


def test_a_baseline_alone_is_not_compared(dataset: Dataset, tmp_path: Path) -> None:
    evaluate(FakeRetriever(dataset), dataset, "train", tmp_path)
    with pytest.raises(DataError, match="at least two"):
        compare([tmp_path], tmp_path)


def test_systems_of_one_name_are_told_apart_by_their_folders(dataset: Dataset, tmp_path: Path) -> None:
    for seed in range(2):
        evaluate(FakeRetriever(dataset, seed), dataset, "train", tmp_path / f"run{seed}")
    names = [system.name for system in compare([tmp_path / "run1"], tmp_path / "run0").systems]
    assert names == ["fake (run0)", "fake (run1)"]


def test_tables_of_different_queries_are_not_compared() -> None:
    rows = {name: [0.5, 0.25] for name in MEASURES}
    first, second = (pl.DataFrame({"query_id": ids, **rows}) for ids in (["a", "b"], ["a", "c"]))
    with pytest.raises(DataError, match="queries differ"):
        compare_per_query({"x": first, "y": second}, "x")


def test_the_footprint_counts_every_weight(tiny_encoder: str) -> None:
    from sentence_transformers import SentenceTransformer

    size = footprint(tiny_encoder)
    assert size.parameters == sum(
        weight.numel() for weight in SentenceTransformer(tiny_encoder, device="cpu").parameters()
    )
    assert size.model_bytes is not None
    assert size.parameters is not None
    assert size.model_bytes >= 4 * size.parameters
