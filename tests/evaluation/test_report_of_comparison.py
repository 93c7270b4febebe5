"""What a comparison shows besides its tests: sizes of effects, queries won and lost, dominance, curves of training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from rankdistill.data import Dataset
from rankdistill.errors import ConfigError, DataError
from rankdistill.evaluation import curves, hits, pareto, report
from rankdistill.evaluation.comparing import Trained, compare
from rankdistill.evaluation.evaluating import evaluate, read_per_query
from rankdistill.evaluation.results import Results
from rankdistill.evaluation.run_files import find, read
from rankdistill.evaluation.systems import Latency, System
from tests.evaluation.fakes import FakeRetriever
from tests.evaluation.test_report import Page
from tests.recorded import record_again

LOG: dict[str, Any] = {
    "best_step": 20,
    "loss": [{"step": 10, "loss": 2.0, "learning_rate": 0.1}, {"step": 20, "loss": 1.5, "learning_rate": 0.0}],
    "dev_ndcg_at_10": [{"step": 0, "value": 0.25}, {"step": 20, "value": 0.5}],
}


@pytest.fixture
def evaluated(dataset: Dataset, tmp_path: Path) -> list[Path]:
    """Folders of a baseline, a system, and two trainings of another."""
    folders = [tmp_path / name for name in ("base", "other", "first", "second")]
    for seed, folder in enumerate(folders):
        evaluate(FakeRetriever(dataset, seed, folder.name), dataset, "train", folder)
    return folders


def values(folder: Path, measure: str = "ndcg_at_10") -> dict[str, float]:
    return dict(read_per_query(folder).select("query_id", measure).iter_rows())


def test_an_effect_is_the_paired_t_statistic_over_the_root_of_the_queries(evaluated: list[Path]) -> None:
    base, other, *_ = evaluated
    (found,) = [one for one in compare([other], base).comparisons if one.measure == "ndcg_at_10"]
    mine, theirs = (np.array([values(one)[query_id] for query_id in values(base)]) for one in (other, base))
    t = stats.ttest_rel(mine, theirs).statistic
    assert found.effect == pytest.approx(t / np.sqrt(len(mine)))
    assert (found.won, found.tied, found.lost) == (
        (mine > theirs).sum(), (mine == theirs).sum(), (mine < theirs).sum()
    )  # fmt: skip
    header, (row,) = report.comparison_rows(compare([other], base), "ndcg_at_10")
    assert header[-3:] == ["effect", "won/tied/lost", "verdict"]
    assert row[-2] == f"{found.won}/{found.tied}/{found.lost}"


def test_equal_systems_have_no_effect(dataset: Dataset, evaluated: list[Path], tmp_path: Path) -> None:
    evaluate(FakeRetriever(dataset, 0, "twin"), dataset, "train", tmp_path / "twin")
    results = compare([tmp_path / "twin"], evaluated[0])
    assert {(one.effect, one.won, one.lost) for one in results.comparisons} == {(None, 0, 0)}
    assert results.changed[0].won == results.changed[0].lost == []
    assert "twin differs from base in no query" in str(results)
    assert report.comparison_rows(results, "ndcg_at_10")[1][0][-3] == "-"


def test_queries_won_and_lost_are_those_of_the_largest_differences(evaluated: list[Path]) -> None:
    base, other, first, second = evaluated
    trained = Trained("trained", (first, second))
    results = compare([other, trained], base, measure="map_at_100", examples=3)
    theirs = values(base, "map_at_100")
    means = {
        "other": values(other, "map_at_100"),
        "trained": {
            query_id: (value + values(second, "map_at_100")[query_id]) / 2
            for query_id, value in values(first, "map_at_100").items()
        },
    }
    for changed in results.changed:
        mine = means[changed.system]
        differences = sorted((mine[query_id] - theirs[query_id] for query_id in theirs), reverse=True)
        assert [one.difference for one in changed.won] == pytest.approx([one for one in differences[:3] if one > 0])
        assert [one.difference for one in changed.lost] == pytest.approx(
            [one for one in differences[::-1][:3] if one < 0]
        )
        for one in (*changed.won, *changed.lost):
            assert (one.baseline, one.system) == pytest.approx((theirs[one.query_id], mine[one.query_id]))
    assert compare([other], base, examples=0).changed == []
    with pytest.raises(ConfigError, match="a measure"):
        compare([other], base, measure="ndcg")


def test_hits_are_the_first_of_the_run_and_what_is_relevant_with_their_texts(
    evaluated: list[Path], dataset: Dataset
) -> None:
    base, other, *_ = evaluated
    (changed,) = compare([other], base, examples=2).changed
    runs = {"base": read(find(base)), "other": read(find(other))}
    qrels, texts = dataset.qrels("train"), dataset.queries("train")
    for one in (*changed.won, *changed.lost):
        assert one.text == texts[one.query_id]
        for name, shown in (("base", one.baseline_hits), ("other", one.system_hits)):
            ranked = sorted(runs[name][one.query_id].items(), key=lambda hit: (hit[1], hit[0]), reverse=True)
            order = [doc_id for doc_id, _ in ranked]
            assert [hit.doc_id for hit in shown if hit.rank is not None and hit.rank <= hits.FIRST] == order[:10]
            relevant = {doc_id for doc_id, label in qrels[one.query_id].items() if label > 0}
            assert relevant <= {hit.doc_id for hit in shown}
            for hit in shown:
                assert hit.rank == (order.index(hit.doc_id) + 1 if hit.doc_id in order else None)
                assert hit.label == qrels[one.query_id].get(hit.doc_id)
                assert hit.text == hits.shortened(dataset.contents[hit.doc_id])


def test_the_page_shows_them_with_what_was_not_found(evaluated: list[Path], dataset: Dataset, tmp_path: Path) -> None:
    base, *_ = evaluated
    silent = frozenset(dataset.queries("train"))
    evaluate(FakeRetriever(dataset, 1, "silent", silent), dataset, "train", tmp_path / "silent")
    results = compare([tmp_path / "silent"], base)
    report.write_html(results, tmp_path / "report.html")
    source = (tmp_path / "report.html").read_text()
    page = Page()
    page.feed(source)
    assert page.open == []
    assert "Queries won and lost" in page.text
    assert "silent: lost" in page.text
    assert "silent: won" not in page.text
    lost = results.changed[0].lost[0]
    assert lost.text is not None
    assert lost.text in page.text
    assert "not found" in page.text


def test_evaluations_from_before_hits_were_kept_are_compared_without(evaluated: list[Path], tmp_path: Path) -> None:
    for folder in evaluated:
        (folder / hits.HITS_FILE).unlink()
        record_again(folder)
    results = compare(evaluated[1:2], evaluated[0])
    shown = results.changed[0].won[0]
    assert (shown.text, shown.system_hits) == (None, [])
    report.write_html(results, tmp_path / "report.html")
    assert "keeps no hits" in (tmp_path / "report.html").read_text()


def test_results_from_before_are_read_and_their_tables_are_as_they_were(evaluated: list[Path], tmp_path: Path) -> None:
    results = compare(evaluated[1:2], evaluated[0])
    results.write(tmp_path)
    assert Results.read(tmp_path).to_json() == results.to_json()
    content = json.loads((tmp_path / "results.json").read_text())
    del content["changed"], content["trainings"]
    for one in content["comparisons"]:
        for name in ("effect", "won", "tied", "lost"):
            del one[name]
    (tmp_path / "results.json").write_text(json.dumps(content))
    (tmp_path / ".noted").unlink()
    assert "effect" not in report.comparison_rows(Results.read(tmp_path), "ndcg_at_10")[0]


def system(
    name: str, quality: float, time: float | None = None, size: int | None = None, teacher: float | None = None
) -> System:
    latency = None if time is None else Latency(p50=time, p99=time, queries=9)
    return System(
        name=name, measures={"ndcg_at_10": quality}, latency_ms=latency, index_bytes=size, teacher_seconds=teacher
    )


def test_a_system_is_dominated_by_what_is_no_worse_in_anything_and_better_in_something() -> None:
    systems = [
        system("bm25", 0.3, 1.0, 100),
        system("student", 0.5, 2.0, 200, 60.0),
        system("slow", 0.5, 4.0, 200, 60.0),
        system("costly", 0.5, 2.0, 200, 90.0),
        system("worse", 0.2, 2.0, 100),
        system("twin", 0.5, 2.0, 200, 60.0),
        system("unknown", 0.1, None, 100),
    ]
    found = pareto.dominated_by(systems, "ndcg_at_10")
    assert found == {
        "bm25": [],
        "student": [],
        "slow": ["student", "twin"],
        "costly": ["student", "twin"],
        "worse": ["bm25"],
        "twin": [],
        "unknown": [],
    }  # fmt: skip
    header, rows = pareto.rows(systems, "ndcg_at_10", "nDCG@10")
    assert header == ["system", "nDCG@10", "ms/query", "index MB", "teacher s", "dominated by"]
    assert rows[0] == ["bm25", "0.3000", "1", "0.0001", "0", "-"]
    assert rows[6][2] == "-"


def test_what_a_teacher_took_unknown_neither_dominates_nor_is_dominated_whoever_stands_beside() -> None:
    unknown = system("unknown", 0.5, size=1000).model_copy(update={"teacher_unknown": True})
    none, taught = system("none", 0.4, size=1000), system("taught", 0.1, size=1000, teacher=60.0)
    also = system("also unknown", 0.3, size=1000).model_copy(update={"teacher_unknown": True})
    assert pareto.dominated_by([unknown, none], "ndcg_at_10") == {"unknown": [], "none": []}
    for beside in ([], [taught], [also], [taught, also]):
        found = pareto.dominated_by([unknown, none, *beside], "ndcg_at_10")
        assert not found["unknown"] + found["none"] + found.get("also unknown", [])
        assert found.get("taught", ["none"]) == ["none"]
    header, _ = pareto.rows([unknown, none], "ndcg_at_10", "nDCG@10")
    assert header == ["system", "nDCG@10", "index MB", "dominated by"], "nobody tells seconds"


def test_the_bubbles_of_dominated_systems_are_hollow(tmp_path: Path) -> None:
    systems = [system("fast", 0.5, 1.0, 10_000_000), system("slow", 0.4, 30.0, 10_000_000, 12.0)]
    results = Results(title="t", data="d", split="s", queries=3, systems=systems)
    report.write_html(results, tmp_path / "report.html")
    source = (tmp_path / "report.html").read_text()
    assert source.count("<svg") == 3, "quality, quality x time, quality x index"
    assert "index 10 MB, teacher 12 s" in source
    assert "dominated by" in source


def test_curves_of_a_model_that_was_trained_reach_the_report(dataset: Dataset, tmp_path: Path) -> None:
    for name, log in (("model", LOG), ("broken", {"loss": [{"step": 1}]}), ("none", {"steps": 3})):
        (tmp_path / name).mkdir()
        (tmp_path / name / "training_log.json").write_text(json.dumps(log))
    for seed, name in enumerate(("model", "broken", "none", "absent")):
        evaluate(FakeRetriever(dataset, seed, name), dataset, "train", tmp_path / f"of_{name}", trained=tmp_path / name)
    folders = [tmp_path / f"of_{name}" for name in ("model", "broken", "none", "absent")]
    assert [(one / curves.CURVES_FILE).is_file() for one in folders] == [True, False, False, False]
    results = compare(folders, folders[1])
    (training,) = results.trainings
    assert training.system == "model"
    assert training.curves[0].loss == [(10, 2.0), (20, 1.5)]
    assert training.curves[0].dev == {"dev nDCG@10": [(0, 0.25), (20, 0.5)]}
    assert training.curves[0].kept == 20
    report.write_html(results, tmp_path / "report.html")
    source = (tmp_path / "report.html").read_text()
    assert "model: loss and dev nDCG@10" in source
    (folders[0] / curves.CURVES_FILE).write_text("{}")
    with pytest.raises(DataError, match=r"curves\.json"):
        compare(folders, folders[1])


def test_an_alignments_curves_are_those_that_choose_its_checkpoint() -> None:
    monitor = [
        {"step": 0, "scifact/asymmetric_ndcg_at_10": 0.1, "scifact/teacher_ndcg_at_10": 0.6, "held_out/cosine": 0.2},
        {"step": 5, "scifact/asymmetric_ndcg_at_10": 0.4, "scifact/teacher_ndcg_at_10": 0.6, "held_out/cosine": 0.9},
    ]
    found = curves.of_log({"loss": [{"step": 5, "loss": 0.3}], "monitor": monitor, "best_step": 5})
    assert found is not None
    assert found.dev == {"scifact asymmetric nDCG@10": [(0, 0.1), (5, 0.4)]}


@pytest.mark.parametrize("suffix", [".md", ".tex", ".html"])
def test_a_report_is_what_its_name_says(suffix: str, evaluated: list[Path], tmp_path: Path) -> None:
    results = compare(evaluated[1:3], evaluated[0])
    report.written(results, tmp_path / f"r{suffix}")
    text = (tmp_path / f"r{suffix}").read_text()
    marks = {".md": "| other | ", ".tex": r"\begin{tabular}{lrrrr}", ".html": "<!doctype html>"}
    assert marks[suffix] in text
    for one in results.systems:
        assert f"{one.measures['ndcg_at_10']:.4f}" in text
    with pytest.raises(ConfigError, match=r"\.tex"):
        report.written(results, tmp_path / "r.pdf")
