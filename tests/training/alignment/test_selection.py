"""Which texts are trained on, and how often."""

from __future__ import annotations

import numpy as np
import pytest

from rankdistill.errors import StoreError
from rankdistill.training.alignment import config as settings
from rankdistill.training.alignment import selection
from tests.training.alignment.conftest import MemoryEmbeddings


def shares(embeddings: MemoryEmbeddings, **given: object) -> dict[str, float]:
    """Source -> its share of a pass."""
    chosen = selection.select(embeddings.texts(), 0, [])
    rows = selection.mixture(chosen, settings.read(None, **given)).rows(0)
    assert len(rows) == chosen.size
    sources = [embeddings.rows[row][1] for row in rows]
    return {source: sources.count(source) / len(sources) for source in dict.fromkeys(sources)}


def test_every_source_is_drawn_by_its_size(tiny_embeddings: MemoryEmbeddings) -> None:
    found = shares(tiny_embeddings)
    assert found["train"] == pytest.approx(12 / 132)
    assert found["corpus"] == pytest.approx(40 / 132)


def test_a_share_of_queries_and_weights_of_sources_are_kept(tiny_embeddings: MemoryEmbeddings) -> None:
    found = shares(tiny_embeddings, query_share=0.5, source_weights={"corpus": 2, "openings": 0})
    assert found["train"] == pytest.approx(0.5)
    assert found["corpus"] == pytest.approx(1 / 3, abs=0.01)
    assert "openings" not in found


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"source_weights": {"nowhere": 1}}, "nowhere"),
        ({"source_weights": {"train": 0}, "query_share": 0.5}, "query-like"),
        ({"source_weights": dict.fromkeys(["train", "corpus", "titles", "openings"], 0)}, "above 0"),
    ],
)
def test_a_mixture_that_cannot_be_had_is_refused(
    tiny_embeddings: MemoryEmbeddings, given: dict[str, object], message: str
) -> None:
    with pytest.raises(StoreError, match=message):
        shares(tiny_embeddings, **given)


def test_held_out_rows_are_the_same_each_time_and_not_trained_on(tiny_embeddings: MemoryEmbeddings) -> None:
    one, other = (selection.select(tiny_embeddings.texts(), 500, []) for _ in range(2))
    assert len(one.held_out) == 13
    assert np.array_equal(one.held_out, other.held_out)
    assert not set(one.held_out) & set(one.rows)
    assert one.size == len(one.rows) == 132 - 13


def test_slices_make_no_difference(tiny_embeddings: MemoryEmbeddings, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = selection.select(tiny_embeddings.texts(), 12, ["river 0"])
    monkeypatch.setattr(selection, "SLICE", 7)
    sliced = selection.select(tiny_embeddings.texts(), 12, ["river 0"])
    assert sliced.report == whole.report
    assert np.array_equal(sliced.rows, whole.rows)


def test_what_prepares_a_student_sees_only_what_is_trained_on(tiny_embeddings: MemoryEmbeddings) -> None:
    chosen = selection.select(tiny_embeddings.texts(), 12, [])
    rows = selection.shown(chosen, settings.read(None), 20)
    shown = selection.SelectedEmbeddings(tiny_embeddings, rows)
    assert shown.texts().num_rows == 20
    places = np.array([3, 19])
    texts = [tiny_embeddings.rows[row][2] for row in shown.rows[places]]
    assert [shown.texts()["text"][place].as_py() for place in (3, 19)] == texts
    assert np.array_equal(shown.vectors()[places], tiny_embeddings.array[shown.rows[places]])
    assert not set(shown.rows) & set(chosen.held_out)


def test_what_is_never_drawn_prepares_no_student(tiny_embeddings: MemoryEmbeddings) -> None:
    chosen = selection.select(tiny_embeddings.texts(), 12, [])

    def sources(**given: object) -> set[str]:
        rows = selection.shown(chosen, settings.read(None, **given), 1000)
        return {tiny_embeddings.rows[row][1] for row in rows}

    assert sources() == {"train", "corpus", "titles", "openings"}
    assert sources(source_weights={"corpus": 0, "titles": 0.5}) == {"train", "titles", "openings"}
    assert sources(query_share=0) == {"corpus", "titles", "openings"}


def test_leaving_sources_out_makes_another_student_and_other_weights_do_not_say_so() -> None:
    assert "prepared" not in settings.read(None, source_weights={"corpus": 2}, query_share=0.5).decisive()
    assert "prepared" in settings.read(None, source_weights={"corpus": 0}).decisive()


def test_the_lengths_of_the_fit_are_part_of_the_student() -> None:
    def lengths(cuts: bool = True, **given: int) -> object:
        return settings.read(None, **given).decisive(cuts).get("lengths")

    assert lengths() is None
    assert lengths(max_document_length=64) == lengths(max_document_length=64, max_query_length=32) == "saved and fitted"
    assert lengths(max_query_length=32) == "fitted"
    assert lengths(False, max_query_length=32) is None
    assert "prepared" in settings.read(None, query_share=1).decisive()
