"""Systems that were trained several times: what is averaged, what the test permutes, what the interval draws."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from rankdistill.data import Dataset
from rankdistill.errors import ConfigError, DataError
from rankdistill.evaluation import report
from rankdistill.evaluation.comparing import TEST, Trained, compare, compare_per_query, parse_system
from rankdistill.evaluation.evaluating import evaluate, read_per_query
from rankdistill.evaluation.measures import MEASURES
from rankdistill.evaluation.results import Evaluation
from rankdistill.evaluation.significance import (
    bootstrap_interval,
    holm,
    randomisation_test,
    trainings_interval,
)
from tests.evaluation.fakes import FakeRetriever
from tests.recorded import record_again

SEEDS = (0, 1, 2)


@pytest.fixture
def trained(dataset: Dataset, tmp_path: Path) -> Trained:
    folders = tuple(tmp_path / f"s{seed}" for seed in SEEDS)
    for seed, folder in zip(SEEDS, folders, strict=True):
        evaluate(FakeRetriever(dataset, seed, f"student seed {seed}"), dataset, "train", folder)
    return Trained("student", folders)


@pytest.fixture
def baseline(dataset: Dataset, tmp_path: Path) -> Path:
    evaluate(FakeRetriever(dataset, 7, "base"), dataset, "train", tmp_path / "base")
    return tmp_path / "base"


def values(folder: Path, measure: str) -> np.ndarray:
    return read_per_query(folder).sort("query_id").get_column(measure).to_numpy()


def test_systems_of_one_name_are_told_apart_by_their_folders(dataset: Dataset, tmp_path: Path) -> None:
    """Tasks end in TASK/SPLIT, so the last folder is one for all; the baseline's values were another system's."""
    folders = [tmp_path / name / "test" for name in ("v1", "v2", "words")]
    for seed, (folder, name) in enumerate(zip(folders, ("student", "student", "bm25"), strict=True)):
        evaluate(FakeRetriever(dataset, seed, name), dataset, "train", folder)
    results = compare(folders[1:], folders[0])
    assert [one.name for one in results.systems] == ["student (v1/test)", "student (v2/test)", "bm25"]
    assert {one.system for one in results.comparisons} == {"student (v2/test)", "bm25"}
    for found in results.comparisons:
        folder = folders[1] if found.system == "student (v2/test)" else folders[2]
        expected = values(folder, found.measure).mean() - values(folders[0], found.measure).mean()
        assert found.difference == pytest.approx(expected)


def test_a_query_has_the_mean_over_the_trainings_and_that_is_tested(trained: Trained, baseline: Path) -> None:
    results = compare([trained], baseline)
    base, student = results.systems
    assert (base.trainings, base.deviations) == (1, {})
    assert (student.name, student.trainings) == ("student", 3)
    for measure in MEASURES:
        means = [Evaluation.read(folder).system.measures[measure] for folder in trained.folders]
        assert student.measures[measure] == pytest.approx(np.mean(means))
        assert student.deviations[measure] == pytest.approx(np.std(means, ddof=1))
        table = np.stack([values(folder, measure) for folder in trained.folders])
        (found,) = [one for one in results.comparisons if one.measure == measure]
        assert found.p_value == randomisation_test(table.mean(axis=0), values(baseline, measure))
        assert found.p_holm == holm([found.p_value])[0]
        assert found.difference == pytest.approx((table - values(baseline, measure)).mean())
        assert found.by_training == pytest.approx((table - values(baseline, measure)).mean(axis=1))
        assert found.interval[0] <= found.difference <= found.interval[1]
    assert results.signature["test"] == TEST
    assert "over queries" in TEST
    assert "intervals resample queries and trainings" in TEST
    assert len(results.signature["systems"]["student"]) == 3


def test_trainings_of_both_sides_are_set_side_by_side_by_their_place(trained: Trained, tmp_path: Path) -> None:
    order = (trained.folders[1], trained.folders[2], trained.folders[0])
    swapped = Trained("other", tuple(shutil.copytree(one, tmp_path / "other" / one.name) for one in order))
    for found in compare([swapped], trained).comparisons:
        first, second = (
            np.array([values(folder, found.measure).mean() for folder in one.folders]) for one in (trained, swapped)
        )
        assert found.by_training == pytest.approx(second - first)
        assert found.difference == pytest.approx(0, abs=1e-12)
        assert found.p_value == 1.0


def test_a_table_shows_how_far_trainings_lie_apart_only_where_there_are_several(
    trained: Trained, baseline: Path
) -> None:
    results = compare([trained], baseline)
    header, rows = report.system_rows(results)
    assert header[1] == "trainings"
    assert [row[1] for row in rows] == ["1", "3"]
    assert f"±{results.systems[1].deviations['ndcg_at_10']:.4f}" in rows[1][2]
    header, (row,) = report.comparison_rows(results, "ndcg_at_10")
    assert header[2] == "by training"
    assert len(row[2].split()) == 3
    once = compare([trained.folders[0]], baseline)
    assert "trainings" not in report.system_rows(once)[0]
    assert "by training" not in report.comparison_rows(once, "ndcg_at_10")[0]


def test_the_interval_of_one_training_is_that_over_queries() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.uniform(size=(2, 40))
    assert trainings_interval(a, b) == bootstrap_interval(a - b)


def test_the_interval_widens_with_the_spread_of_the_trainings_as_its_variance_says() -> None:
    """Var = var(queries) / n + (k - 1) / k * var(trainings) / k for one system of k trainings, by conditioning."""
    rng = np.random.default_rng(2)
    queries = rng.normal(0, 0.1, size=400)
    shifts = np.array([-0.06, 0.0, 0.06])
    table = queries + shifts[:, None]
    low, high = trainings_interval(table, np.zeros((1, 400)), resamples=20_000)
    expected = queries.var() / 400 + shifts.var() / 3
    assert high - low == pytest.approx(2 * 1.96 * np.sqrt(expected), rel=0.06)
    narrow = bootstrap_interval(queries)
    assert high - low > 3 * (narrow[1] - narrow[0])


def test_equal_trainings_add_nothing_to_the_interval() -> None:
    rng = np.random.default_rng(3)
    a = rng.normal(size=200)
    low, high = trainings_interval(np.stack([a, a, a]), np.zeros((1, 200)), resamples=20_000)
    expected = stats.norm.interval(0.95, loc=a.mean(), scale=a.std() / np.sqrt(200))
    assert (low, high) == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize("shape", [(3, 10), (1, 10)])
def test_an_interval_of_other_queries_or_of_nan_is_refused(shape: tuple[int, int]) -> None:
    with pytest.raises(DataError):
        trainings_interval(np.zeros(shape), np.zeros((2, 11)))
    with pytest.raises(DataError):
        trainings_interval(np.full(shape, np.nan), np.zeros((2, 10)))


def test_trainings_with_other_queries_are_not_compared(trained: Trained, dataset: Dataset, tmp_path: Path) -> None:
    evaluate(FakeRetriever(dataset), dataset, "dev", tmp_path / "dev")
    with pytest.raises(DataError, match="qrels_hash"):
        compare([Trained("student", (*trained.folders, tmp_path / "dev"))], trained.folders[0])
    first = read_per_query(trained.folders[0])
    with pytest.raises(DataError, match="queries differ"):
        compare_per_query({"a": [first, first.head(1)], "b": first}, "b")


@pytest.mark.parametrize("words", ["=a,b", "name=", "name=a,a"])
def test_what_is_no_system_is_refused(words: str) -> None:
    with pytest.raises(ConfigError, match="NAME=FOLDER"):
        parse_system(words)


def test_a_system_is_a_folder_or_a_name_and_folders(tmp_path: Path) -> None:
    assert parse_system("a/b") == Path("a/b")
    assert parse_system("x=a,b") == Trained("x", (Path("a"), Path("b")))
    (tmp_path / "k=v").mkdir()
    assert parse_system(str(tmp_path / "k=v")) == tmp_path / "k=v"


def test_two_systems_of_one_name_are_refused(trained: Trained, baseline: Path) -> None:
    others = Trained("student", trained.folders[1:])
    with pytest.raises(ConfigError, match="'student' twice"):
        compare([trained, others], baseline)
    with pytest.raises(ConfigError, match="'student' twice"):
        compare([trained], others)
    twice = compare([trained, Trained("base", trained.folders[:2])], baseline)
    assert [system.name for system in twice.systems] == ["base (base)", "student", "base"]


def test_a_damaged_evaluation_is_refused(trained: Trained, baseline: Path) -> None:
    path = trained.folders[1] / "per_query.parquet"
    whole = read_per_query(trained.folders[1])
    for damaged in (whole.head(3), whole.drop("map_at_100")):
        damaged.write_parquet(path)
        for systems in ([trained], [trained.folders[1]]):
            with pytest.raises(DataError, match="evaluate it again"):
                compare(systems, baseline)
    whole.write_parquet(path)
    results = trained.folders[1] / "results.json"
    results.write_text(results.read_text().replace('"map_at_100"', '"map"'))
    record_again(trained.folders[1])
    with pytest.raises(DataError, match="without map_at_100"):
        compare([trained], baseline)
