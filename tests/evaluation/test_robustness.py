"""The grid of dimensions x precision against plain numpy and ir-measures."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydantic import TypeAdapter

from rankdistill.errors import ConfigError, DataError, SpaceMismatchError
from rankdistill.evaluation.embedded import Embedded, Pairing
from rankdistill.evaluation.robustness import GridSettings, grid, halves
from rankdistill.evaluation.robustness_report import write_report
from rankdistill.evaluation.robustness_result import Robustness, grid_rows, heat_map
from tests.evaluation.test_report import Page
from tests.evaluation.vectors import pairings, qrels_of

SETTINGS = GridSettings((24, 12, 6), ("float32", "int8", "binary"), draws=3)


def ndcg(ranking: list[str], labels: dict[str, int]) -> float:
    gains = [labels.get(doc_id, 0) / np.log2(place + 2) for place, doc_id in enumerate(ranking[:10])]
    ideal = sorted(labels.values(), reverse=True)[:10]
    return float(sum(gains) / sum(gain / np.log2(place + 2) for place, gain in enumerate(ideal)))


def brute_force(pairing: Pairing, kept: list[int], cosine: bool) -> float:
    labels = qrels_of(pairing)
    values = []
    for query_id, query in zip(pairing.queries.ids, pairing.queries.vectors[:, kept].astype(float), strict=True):
        scores = {}
        for doc_id, document in zip(
            pairing.documents.ids, pairing.documents.vectors[:, kept].astype(float), strict=True
        ):
            scale = np.linalg.norm(query) * np.linalg.norm(document) if cosine else 1
            scores[doc_id] = query @ document / scale
        values.append(ndcg(sorted(scores, key=lambda doc_id: -scores[doc_id]), dict(labels[query_id])))
    return float(np.mean(values))


@pytest.mark.parametrize("similarity", ["cosine", "dot"])
def test_truncation_in_float32_is_that_of_plain_numpy(similarity: str) -> None:
    systems = pairings()
    found = grid(systems, similarity, qrels_of(systems[0]), GridSettings((24, 6), ("float32",), draws=2))
    for pairing, system in zip(systems, found, strict=True):
        cosine = similarity == "cosine"
        assert system.full == pytest.approx(brute_force(pairing, list(range(24)), cosine))
        assert system.cells[0].ndcg_at_10 == system.full
        assert system.cells[1].ndcg_at_10 == pytest.approx(brute_force(pairing, list(range(6)), cosine))
        assert len(system.cells[1].random) == 2


def test_random_truncation_takes_the_same_dimensions_for_all_and_is_repeatable() -> None:
    systems = pairings()
    first, again = (grid(systems, "cosine", qrels_of(systems[0]), SETTINGS) for _ in range(2))
    assert first == again
    other = grid(systems[:1], "cosine", qrels_of(systems[0]), GridSettings((12,), ("int8",), draws=3))[0].cells[0]
    assert other == next(cell for cell in first[0].cells if (cell.dimension, cell.precision) == (12, "int8"))
    draw = sorted(np.random.default_rng([0, 1, 12]).choice(24, 12, replace=False).tolist())
    half = next(cell for cell in first[2].cells if (cell.dimension, cell.precision) == (12, "float32"))
    assert half.random[1] == pytest.approx(brute_force(systems[2], draw, True))
    assert half.random_mean == pytest.approx(np.mean(half.random))
    assert half.random_deviation == pytest.approx(np.std(half.random, ddof=1))


def test_a_space_with_its_meaning_in_front_beats_random_truncation() -> None:
    teacher = pairings()[0]
    scales = np.where(np.arange(24) < 6, 1.0, 0.01).astype(np.float32)
    front = Pairing(
        "front",
        Embedded(teacher.queries.ids, teacher.queries.vectors * scales),
        Embedded(teacher.documents.ids, teacher.documents.vectors * scales),
    )
    (found,) = grid([front], "cosine", qrels_of(front), GridSettings((6,), ("float32",)))
    first, random = (found.retention(value) for value in (found.cells[0].ndcg_at_10, found.cells[0].random_mean))
    assert first is not None
    assert random is not None
    assert first > 0.98 > 0.8 > random


def test_ties_are_broken_as_trec_eval_does_whatever_the_order_of_the_documents() -> None:
    teacher = pairings()[0]
    order = np.random.default_rng(0).permutation(len(teacher.documents.ids))
    shuffled = Pairing(
        "shuffled",
        teacher.queries,
        Embedded([teacher.documents.ids[place] for place in order], teacher.documents.vectors[order]),
    )
    settings = GridSettings((3,), ("binary",), draws=2)
    first, second = (grid([one], "cosine", qrels_of(teacher), settings)[0].cells for one in (teacher, shuffled))
    assert first == second


def test_progress_adds_up_to_the_number_of_searches() -> None:
    systems = pairings()
    done: list[int] = []
    grid(systems, "dot", qrels_of(systems[0]), SETTINGS, done.append)
    assert sum(done) == len(systems) * (1 + 3 * (1 + 4 + 4))  # exact; a precision: all, and two truncations with draws


def test_retention_is_unknown_where_nothing_is_found() -> None:
    systems = pairings()
    nothing = {query_id: {"elsewhere": 1} for query_id in systems[0].queries.ids}
    (found,) = grid(systems[:1], "dot", nothing, GridSettings((24,), ("float32",)))
    assert found.full == 0
    assert found.retention(0.0) is None
    assert found.cells[0].random == ()


def test_a_teacher_that_finds_nothing_has_a_picture_too(result: Robustness, tmp_path: Path) -> None:
    nothing = [
        replace(system, full=0.0, cells=tuple(replace(cell, ndcg_at_10=0.0) for cell in system.cells))
        for system in result.systems
    ]
    assert len(heat_map(replace(result, systems=tuple(nothing))).axes) == len(heat_map(result).axes)


def test_all_dimensions_and_their_halves() -> None:
    assert halves(384) == (384, 192, 96, 48)
    assert halves(20) == (20,)


@pytest.mark.parametrize(
    "settings",
    [
        GridSettings((25,)),
        GridSettings((0,)),
        GridSettings(()),
        GridSettings((6, 6)),
        GridSettings((6,), ("int4",)),
        GridSettings((6,), ()),
        GridSettings((6,), draws=-1),
    ],
)
def test_bad_settings_are_refused(settings: GridSettings) -> None:
    systems = pairings()
    with pytest.raises(ConfigError):
        grid(systems, "cosine", qrels_of(systems[0]), settings)


def test_vectors_that_cannot_be_compared_are_refused() -> None:
    two, three = (Embedded(["a"], np.ones((1, width), np.float32)) for width in (2, 3))
    with pytest.raises(SpaceMismatchError, match="2 in student"):
        Pairing("student", two, three)
    with pytest.raises(DataError):
        Embedded(["a", "b"], np.ones((1, 2), np.float32))
    with pytest.raises(DataError, match="1 not finite"):
        Embedded(["a"], np.array([[1, np.nan]], np.float32))


@pytest.fixture
def result() -> Robustness:
    systems = pairings()
    found = grid(systems, "cosine", qrels_of(systems[0]), SETTINGS)
    return Robustness("a & b", "test", 15, 120, found, {"command": "rankdistill robustness <a>"})


def test_what_is_written_can_be_read_and_holds_the_derived_numbers(result: Robustness, tmp_path: Path) -> None:
    result.write(tmp_path)
    text = (tmp_path / "robustness.json").read_bytes()
    assert TypeAdapter(Robustness).validate_json(text) == result
    system = json.loads(text)["systems"][2]
    cell = next(cell for cell in system["cells"] if (cell["dimension"], cell["precision"]) == (12, "binary"))
    assert cell["retention"] == pytest.approx(cell["ndcg_at_10"] / system["full"])
    assert cell["random_mean"] == pytest.approx(np.mean(cell["random"]))
    assert cell["random_retention"] == pytest.approx(cell["random_mean"] / system["full"])


def test_the_table_has_a_row_a_system_precision_and_choice(result: Robustness) -> None:
    header, rows = grid_rows(result)
    assert header == ["system", "precision", "kept", "24", "12", "6"]
    assert [row[:3] for row in rows[:3]] == [
        ["teacher", "float32", "first"], ["teacher", "float32", "random"], ["teacher", "int8", "first"]
    ]  # fmt: skip
    assert len(rows) == 3 * 3 * 2
    assert rows[0][3] == f"{result.systems[0].full:.4f} (100.0%)"
    assert rows[1][3] == "-"
    assert "±" in rows[1][4]


def test_the_page_and_the_picture_are_whole_and_the_same_each_time(result: Robustness, tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_report(result, tmp_path / name)
    page = Page()
    page.feed((tmp_path / "a" / "report.html").read_text())
    assert page.open == []
    assert "a & b" in page.text
    assert all(link and link.startswith("#") for link in page.links if link and not link.startswith("data:"))
    for name in ("report.html", "robustness.png"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert (tmp_path / "a" / "robustness.png").read_bytes().startswith(b"\x89PNG")


def test_without_random_choices_only_the_first_dimensions_are_shown(result: Robustness, tmp_path: Path) -> None:
    systems = pairings()
    found = grid(systems[:1], "cosine", qrels_of(systems[0]), GridSettings((24, 6), ("float32",), draws=0))
    alone = Robustness("tiny", "test", 15, 120, found)
    assert [row[2] for row in grid_rows(alone)[1]] == ["first"]
    write_report(alone, tmp_path)
