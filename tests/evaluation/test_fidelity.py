"""How well a student copies its teacher, against scipy and known constructions; the gap's parts add up."""

from __future__ import annotations

from collections.abc import Sequence
from html import unescape
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray
from scipy import optimize, special, stats

from rankdistill.errors import DataError
from rankdistill.evaluation.fidelity import agreement, gap, measuring, report
from rankdistill.evaluation.fidelity.measuring import Candidates, agree, score
from rankdistill.evaluation.fidelity.records import Fidelity
from rankdistill.evaluation.significance import RESAMPLES

Scores = NDArray[np.float64]
RNG = np.random.default_rng(3)
LENGTHS = (3, 5, 9, 20, 20)


@pytest.fixture
def teacher() -> list[Scores]:
    return [np.round(np.random.default_rng(length).normal(0, 4, length), 1) for length in LENGTHS]


@pytest.fixture
def student(teacher: list[Scores]) -> list[Scores]:
    rng = np.random.default_rng(1)
    return [np.round(0.05 * values + rng.normal(0, 0.2, len(values)), 1) + 0.7 for values in teacher]


def candidates_of(lists: Sequence[Scores], added: frozenset[tuple[str, str]] = frozenset()) -> Candidates:
    scores = {
        f"q{row}": {f"d{place:02d}": float(value) for place, value in enumerate(values)}
        for row, values in enumerate(lists)
    }
    documents = {doc_id: f"text of {doc_id}" for docs in scores.values() for doc_id in docs}
    return Candidates({query_id: f"query {query_id}" for query_id in scores}, documents, scores, 0, added)


class Scorer:
    """Gives the scores of lists, in the order of the pairs."""

    def __init__(self, lists: Sequence[Scores]) -> None:
        self._scores = np.concatenate(lists)
        self.fingerprint: dict[str, Any] = {"lists": self._scores.tolist()}

    def score(self, pairs: Sequence[tuple[str, str]], progress: Any = None) -> NDArray[np.float32]:
        assert len(pairs) == len(self._scores)
        return self._scores  # type: ignore[return-value] - float64, so that what is exact stays exact


def agreed(teacher: Sequence[Scores], student: Sequence[Scores], **settings: Any) -> measuring.Agreed:
    wanted = candidates_of(teacher)
    copied = score(wanted, Scorer(student), lambda done: None)
    return agree(wanted, copied, **{"k": 5, "scale": None, "temperature": 1.0, **settings})


def values(found: measuring.Agreed) -> dict[str, float]:
    return {one.measure: one.value for one in found.agreements}


def test_a_perfect_copy_has_no_divergence_and_agrees_in_all(teacher: list[Scores]) -> None:
    found = agreed(teacher, teacher)
    assert values(found) == pytest.approx(
        {"kl_divergence": 0, "spearman": 1, "kendall": 1, "margin_r2": 1, "overlap": 1}, abs=1e-12
    )
    assert values(found) == pytest.approx({one.measure: one.copy_value for one in found.agreements}, abs=1e-12)
    assert found.scales == pytest.approx({"kl_divergence": 1, "margin_r2": 1}, abs=1e-9)


@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_another_unit_and_an_offset_a_query_are_a_copy_too(teacher: list[Scores], temperature: float) -> None:
    moved = [0.25 * scores + row for row, scores in enumerate(teacher)]
    found = agreed(teacher, moved, temperature=temperature)
    assert values(found)["kl_divergence"] == pytest.approx(0, abs=1e-12)
    assert values(found)["margin_r2"] == pytest.approx(1)
    assert found.scales == pytest.approx({"kl_divergence": 4, "margin_r2": 4})
    assert values(agreed(teacher, moved, scale=1.0))["kl_divergence"] > 0.1


def test_a_student_that_ranks_the_other_way_round_is_no_better_than_one_that_knows_nothing(
    teacher: list[Scores],
) -> None:
    found = agreed(teacher, [-scores for scores in teacher])
    shown = {one.measure: one for one in found.agreements}
    assert found.scales == {"kl_divergence": 0.0, "margin_r2": 0.0}
    assert shown["kl_divergence"].value == pytest.approx(shown["kl_divergence"].chance)
    assert (shown["spearman"].value, shown["kendall"].value) == pytest.approx((-1, -1))
    assert shown["margin_r2"].value == pytest.approx(0)
    expected = np.mean([np.log(len(one)) - stats.entropy(special.softmax(one)) for one in teacher])
    assert shown["kl_divergence"].chance == pytest.approx(expected)


def test_a_student_of_shuffled_scores_shows_what_chance_gives() -> None:
    rng = np.random.default_rng(5)
    lists = [rng.normal(size=30) for _ in range(400)]
    shown = {one.measure: one for one in agreed(lists, [rng.permutation(one) for one in lists]).agreements}
    for measure in ("spearman", "kendall", "margin_r2", "overlap"):
        low, high = shown[measure].interval
        assert low <= shown[measure].value <= high
        assert shown[measure].value == pytest.approx(shown[measure].chance, abs=0.03)
    assert shown["overlap"].chance == pytest.approx(5 / 30)
    assert shown["kl_divergence"].value == pytest.approx(shown["kl_divergence"].chance, abs=0.01)


def test_figures_a_query_are_those_of_scipy(teacher: list[Scores], student: list[Scores]) -> None:
    found = agreed(teacher, student)
    table = found.per_query.sort("query_id")
    for row, (wanted, given) in enumerate(zip(teacher, student, strict=True)):
        shown = table.row(row, named=True)
        scaled = found.scales["kl_divergence"] * given
        assert shown["kl_divergence"] == pytest.approx(stats.entropy(special.softmax(wanted), special.softmax(scaled)))
        assert shown["spearman"] == pytest.approx(stats.spearmanr(wanted, given).statistic)
        assert shown["kendall"] == pytest.approx(stats.kendalltau(wanted, given).statistic)
        margins = np.array(
            [(wanted[i] - wanted[j], given[i] - given[j]) for i, j in combinations(range(len(given)), 2)]
        )
        left = margins[:, 0] - found.scales["margin_r2"] * margins[:, 1]
        assert shown["margin_r2"] == pytest.approx(1 - (left @ left) / (margins[:, 0] @ margins[:, 0]))
        assert shown["candidates"] == len(given)
    for one in found.agreements:
        if one.measure != "margin_r2":
            assert one.value == pytest.approx(table.get_column(one.measure).mean())
        assert one.median == pytest.approx(table.get_column(one.measure).median())


def test_r2_is_over_the_margins_of_all_queries_with_the_scale_of_least_squares(
    teacher: list[Scores], student: list[Scores]
) -> None:
    pairs = [
        (wanted[i] - wanted[j], given[i] - given[j])
        for wanted, given in zip(teacher, student, strict=True)
        for i, j in combinations(range(len(given)), 2)
    ]
    margins, of_student = np.array(pairs).T
    (slope,), (rest,), *_ = np.linalg.lstsq(of_student[:, None], margins, rcond=None)
    found = agreed(teacher, student)
    assert found.scales["margin_r2"] == pytest.approx(slope)
    assert values(found)["margin_r2"] == pytest.approx(1 - rest / (margins @ margins))


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
def test_the_scale_of_least_divergence_is_the_one_that_a_search_finds(
    teacher: list[Scores], student: list[Scores], temperature: float
) -> None:
    def total(scale: float) -> float:
        return float(
            sum(
                stats.entropy(special.softmax(wanted / temperature), special.softmax(scale * given / temperature))
                for wanted, given in zip(teacher, student, strict=True)
            )
        )

    found = agreement.fitted_kl_scale(teacher, student, temperature)
    assert found == pytest.approx(optimize.minimize_scalar(total, bounds=(0, 200), method="bounded").x, rel=1e-3)
    assert total(found) <= min(total(found * 0.99), total(found * 1.01))


def test_constant_scores_are_told_apart_and_break_nothing() -> None:
    varied, constant = np.array([1.0, 2.0, 3.0]), np.ones(3)
    assert agreement.kendall(constant, constant) == 1
    assert agreement.kendall(varied, constant) == agreement.kendall(constant, varied) == 0
    found = agreed([varied, constant], [constant, varied])
    assert all(np.isfinite([one.value, one.median, one.chance, *one.interval]).all() for one in found.agreements)
    assert found.per_query.get_column("margin_r2").null_count() == 1
    assert values(agreed([constant, constant], [constant, constant]))["margin_r2"] == 1


def test_overlap_counts_what_both_have_on_top() -> None:
    assert agreement.overlap(["a", "b", "c", "d"], ["b", "d", "a", "c"], 2) == 0.5
    assert agreement.overlap(["a", "b"], ["b", "a"], 10) == 1


def test_queries_of_one_candidate_have_no_agreement() -> None:
    found = agreed([np.array([1.0]), np.array([1.0, 2.0])], [np.array([1.0]), np.array([1.0, 2.0])])
    assert found.per_query.get_column("query_id").to_list() == ["q1"]
    with pytest.raises(DataError, match="two candidates"):
        agreed([np.array([1.0])], [np.array([1.0])])


def test_pairs_that_the_student_cannot_score_rank_last_and_are_left_out(teacher: list[Scores]) -> None:
    class Leaves(Scorer):
        def score_or_leave(self, pairs: Sequence[tuple[str, str]], progress: Any = None) -> NDArray[np.float32]:
            return np.where(np.arange(len(pairs)) == 3, -np.inf, self._scores)  # type: ignore[return-value]

    wanted = candidates_of(teacher)
    copied = score(wanted, Leaves(teacher), lambda done: None)
    (left,) = copied.unscored
    assert copied.student[left[0]][left[1]] < min(value for of in wanted.teacher.values() for value in of.values())
    found = agree(wanted, copied, 5, None, 1.0)
    assert values(found)["spearman"] == pytest.approx(1)
    assert found.per_query.filter(query_id=left[0])["candidates"].item() == len(wanted.teacher[left[0]]) - 1
    with pytest.raises(DataError, match="finite"):
        score(wanted, Scorer([np.full(len(one), np.nan) for one in teacher]), lambda done: None)


QRELS = {
    "a": {"d1": 2, "d2": 1, "gone": 1},
    "b": {"d1": 1},
    "c": {"d3": 1, "d1": 0},
    "d": {"d1": 0},
}


def ladder(found: bool = True) -> dict[str, NDArray[np.float64]]:
    teacher = {
        "a": {"d1": 1.0, "d2": 3.0, "d3": 2.0},
        "b": {"d1": 0.5, "d2": 0.25},
        "c": {"d1": 1.0, "d2": 0.0},
        "d": {"d1": 1.0},
    }
    student = {query_id: {doc_id: -value for doc_id, value in of.items()} for query_id, of in teacher.items()}
    searched = {"a": {"gone": 1.0, "d1": 0.5}, "b": {"d9": 1.0}, "c": {"d3": 2.0}, "d": {"d1": 1.0}}
    return gap.judged(gap.rankings(QRELS, teacher, student, searched if found else None), QRELS)


def ndcg(gains: Sequence[float], ideal: Sequence[float]) -> float:
    def dcg(row: Sequence[float]) -> float:
        return sum(gain / np.log2(rank + 1) for rank, gain in enumerate(row, start=1))

    return float(dcg(gains) / dcg(ideal))


def test_each_ranking_is_what_it_says() -> None:
    found = ladder()
    ideal = (2, 1, 1)
    a = [found[name][0] for name in found]
    assert a == pytest.approx(
        [1, ndcg((2, 1, 0), ideal), ndcg((1, 0, 2), ideal), ndcg((2, 0, 1), ideal), ndcg((1, 2), ideal)]
    )
    b = [found[name][1] for name in found]
    assert b == pytest.approx([1, 1, 1, ndcg((0, 1), (1,)), 0])
    assert [found[name][2] for name in found] == [1, 0, 0, 0, 1]
    assert [found[name][3] for name in found] == [0, 0, 0, 0, 0], "a query without a relevant document has no gap"


@pytest.mark.parametrize("searched", [True, False])
def test_the_parts_add_up_to_the_gap_as_numbers_and_as_printed(searched: bool) -> None:
    found = gap.split(ladder(searched))
    assert [part.name for part in found.parts] == list(gap.PARTS)[: 3 + searched]
    assert sum(part.difference for part in found.parts) == pytest.approx(found.gap, abs=1e-15)
    means = [rung.ndcg_at_10 for rung in found.rungs]
    assert [part.difference for part in found.parts] == pytest.approx([one - other for one, other in pairwise(means)])
    assert round(sum(found.shown()), 4) == round(round(means[0], 4) - round(means[-1], 4), 4)
    assert sum(part.largest for part in found.parts) == pytest.approx(1)
    assert RESAMPLES % gap._AT_ONCE == 0


def test_printed_parts_add_up_where_rounding_each_would_not() -> None:
    means = {"perfect": 1.0, "ceiling": 0.99994, "teacher": 0.99988, "student": 0.99982}
    found = gap.split({name: np.array([value]) for name, value in means.items()})
    assert sum(round(part.difference, 4) for part in found.parts) != pytest.approx(round(found.gap, 4), abs=1e-9)
    assert sum(found.shown()) == pytest.approx(0.0002, abs=1e-12)


def test_intervals_of_the_parts_are_paired_by_query() -> None:
    rng = np.random.default_rng(8)
    teacher = rng.uniform(0.2, 1, 200)
    shown = gap.split(
        {"perfect": np.ones(200), "ceiling": np.ones(200), "teacher": teacher, "student": teacher - 0.1}, seed=1
    )
    of = {part.name: part for part in shown.parts}
    assert of["student_error"].interval == pytest.approx((0.1, 0.1))
    expected = stats.norm.interval(0.95, (1 - teacher).mean(), teacher.std() / np.sqrt(200))
    assert of["teacher_error"].interval == pytest.approx(expected, abs=0.01)
    assert shown.largest.name == "teacher_error"
    assert of["teacher_error"].largest == 1


def test_judged_positives_that_no_source_found_are_no_candidates_of_the_gap() -> None:
    rows = [
        ("a", "d1", "bm25", 1, None),
        ("a", "d2", "bm25", None, 1),  # added for its label
        ("a", "d3", "bm25", None, 1),
        ("a", "d3", "dense", 4, 1),  # found by another source
        ("b", "d4", "file", None, 1),  # a source that tells no ranks
    ]
    schema = {"query_id": pl.String, "doc_id": pl.String, "source": pl.String, "rank": pl.Int32, "label": pl.Int32}
    candidates = pl.DataFrame(rows, schema=schema, orient="row")
    teacher = {"a": {"d1": 1.0, "d2": 2.0, "d3": 3.0}, "b": {"d4": 1.0}}
    assert measuring._added(candidates, teacher) == {("a", "d2")}
    assert measuring._added(candidates.drop("rank"), teacher) == frozenset()
    assert measuring._found(teacher, frozenset({("a", "d2")}))["a"] == {"d1": 1.0, "d3": 3.0}


def test_the_page_of_a_fidelity_names_all_and_loads_nothing(tmp_path: Path, teacher: list[Scores]) -> None:
    wanted = candidates_of(teacher)
    copied = score(wanted, Scorer([-scores for scores in teacher]), lambda done: None)
    of = agree(wanted, copied, 5, None, 1.0)
    found = Fidelity(
        student="<small>", teacher="large", data="tiny", split="dev", queries=5, compared=5, pairs=57, added=2, k=5,
        temperature=1.0, scales=of.scales, agreements=of.agreements, gap=gap.split(ladder()),
        worst=measuring.worst(wanted, copied, of, {"q1": {"d00": 1}}, 5),
    ).with_queries(of.per_query)  # fmt: skip
    report.write_html(found, tmp_path)
    source = (tmp_path / "report.html").read_text()
    assert "&lt;small&gt;" in source
    assert "<small>" not in source
    assert source.count("<svg") == 6
    assert source.count("<figure") == source.count('<figure role="img" aria-label=')
    assert source.count("<table") == source.count("<caption")
    assert "default-src 'none'" in unescape(source)
    for text in ("teacher error", "top-5 overlap", "query q1", "text of d00", "2 are judged positives"):
        assert text in source
    report.write_html(found, tmp_path)
    assert (tmp_path / "report.html").read_text() == source
