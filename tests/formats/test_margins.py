"""Scores from margins, against differences of known scores."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from rankdistill.errors import DataError
from rankdistill.formats.importing import Imported
from tests.formats.conftest import Import, positives_of, scores_of


def write(path: Path, *margins: tuple[str, str, str, float]) -> Path:
    path.write_text("".join("\t".join(map(str, row)) + "\n" for row in margins))
    return path


def test_the_positive_gets_zero_and_negatives_minus_their_margins(imported: Import, tmp_path: Path) -> None:
    path = write(tmp_path / "gpl.tsv", ("q", "p", "a", 3.5), ("q", "p", "b", -1.0), ("q", "p", "a", 3.5))
    store = imported("gpl", path)
    assert scores_of(store) == {("q", "p"): 0.0, ("q", "a"): -3.5, ("q", "b"): 1.0}
    assert positives_of(store) == {("q", "p")}


def test_chains_of_margins_give_back_all_differences(imported: Import, tmp_path: Path) -> None:
    generator = np.random.default_rng(1)
    scores = {f"d{number}": float(generator.normal() * 5) for number in range(30)}
    positives, others = list(scores)[:4], list(scores)[4:]
    rows = [("q", one, other, scores[one] - scores[other]) for one in positives for other in others]
    shuffled = [rows[place] for place in generator.permutation(len(rows))][:60]
    found = {
        doc_id: score for (_, doc_id), score in scores_of(imported("gpl", write(tmp_path / "g.tsv", *shuffled))).items()
    }
    anchor = next(iter(found))
    for doc_id, score in found.items():
        assert score - found[anchor] == pytest.approx(scores[doc_id] - scores[anchor], abs=1e-4)


def test_rounded_margins_along_different_ways_are_no_contradiction(imported: Import, tmp_path: Path) -> None:
    generator = np.random.default_rng(2)
    scores = np.float32(generator.normal(size=40) * 11)
    margins = [("q", f"p{i}", f"n{j}", float(scores[i] - scores[j])) for i in range(20) for j in range(20, 40)]
    assert len(scores_of(imported("gpl", write(tmp_path / "g.tsv", *margins)))) == 40


def test_contradicting_margins_are_refused(run_import: Callable[..., Imported], tmp_path: Path) -> None:
    rows = [("q", "p", "a", 3.0), ("q", "r", "a", 1.0), ("q", "p", "b", 5.0), ("q", "r", "b", 4.0)]
    path = write(tmp_path / "g.tsv", *rows)
    with pytest.raises(DataError, match=r"g\.tsv:4: the margin 4 contradicts 3"):
        run_import("gpl", path)
    assert run_import("gpl", path, lenient=True).rejected == 1


def test_margins_that_nothing_connects_are_refused(run_import: Callable[..., Imported], tmp_path: Path) -> None:
    path = write(tmp_path / "g.tsv", ("q", "p", "a", 3.0), ("q", "r", "b", 1.0), ("other", "r", "b", 1.0))
    with pytest.raises(DataError, match=r"g\.tsv:2: no chain of margins connects positive 'r' with the first, 'p'"):
        run_import("gpl", path)
    done = run_import("gpl", path, lenient=True)
    assert (done.pairs, done.rejected) == (4, 1)


def test_a_positive_that_is_its_own_negative_contradicts_itself(
    run_import: Callable[..., Imported], tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="contradicts 0"):
        run_import("gpl", write(tmp_path / "g.tsv", ("q", "p", "p", 3.0)))


def test_scores_and_margins_do_not_mix(run_import: Callable[..., Imported], tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(
        '{"query": "q", "positive": "a", "negative": "b", "label": 2.0}\n'
        '{"query": "q", "positive": "a", "negative": "c", "label": [2.0, 1.0]}\n'
    )
    with pytest.raises(DataError, match="a score among margins"):
        run_import("sentence-transformers", path)
