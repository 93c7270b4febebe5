"""An index made in memory: documents are encoded a block at a time, each text once, and found as in one piece."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rankdistill import data
from rankdistill.evaluation import indexed
from rankdistill.evaluation.indexed import MemoryIndex
from rankdistill.indexing import encoding
from rankdistill.indexing.exact import ExactIndex
from rankdistill.space import Space


class Counting:
    """Vectors drawn by the text; remembers what it was asked."""

    fingerprint: dict[str, Any] = {}  # noqa: RUF012

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.space = Space(8, True, "cosine")

    def encode_documents(self, texts: Sequence[str], progress: Any = None) -> np.ndarray:
        self.asked.append(list(texts))
        if progress is not None:
            progress(len(texts))
        drawn = [np.random.default_rng(sum(map(ord, text))).standard_normal(8) for text in texts]
        return np.array(drawn, np.float32)


def write(folder: Path, texts: Sequence[str]) -> data.Dataset:
    folder.mkdir()
    rows = "".join(f'{{"_id": "d{place}", "title": "", "text": "{text}"}}\n' for place, text in enumerate(texts))
    (folder / "corpus.jsonl").write_text(rows)
    (folder / "queries.jsonl").write_text('{"_id": "q", "text": "river"}\n')
    return data.load(folder)


@pytest.mark.parametrize("at_once", [3, 4, 100])
def test_blocks_give_the_index_of_one_piece_and_a_copy_the_vector_of_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(indexed, "STREAMED_AT_ONCE", at_once)
    texts = ["river", "bread", "river", "violin", "engine", "bread", "river", "harbour", "planet", "engine"]
    encoder, done = Counting(), list[int]()
    made = MemoryIndex(write(tmp_path / "data", texts), encoder, "exact", done.append).searcher
    assert isinstance(made, ExactIndex)
    whole = ExactIndex(8, "cosine")
    whole.add([f"d{place}" for place in range(10)], Counting().encode_documents(texts))
    places = np.arange(10)
    assert made.ids == whole.ids
    assert np.array_equal(made.vectors_at(places), whole.vectors_at(places))
    asked = [text for block in encoder.asked for text in block]
    assert sorted(asked) == sorted(set(texts)), "each text once"
    assert max(map(len, encoder.asked)) <= at_once
    assert sum(done) == 10


def test_an_exact_index_with_room_is_the_one_without(tmp_path: Path) -> None:
    vectors = Counting().encode_documents([f"text {place}" for place in range(9)])
    ids = [f"d{place}" for place in range(9)]
    roomy, plain = ExactIndex(8, "dot"), ExactIndex(8, "dot")
    roomy.reserve(20)
    plain.add(ids, vectors)
    for start in range(0, 9, 4):
        roomy.add(ids[start : start + 4], vectors[start : start + 4])
    roomy.reserve(5)
    for made, name in ((roomy, "roomy"), (plain, "plain")):
        (tmp_path / name).mkdir()
        made.save(tmp_path / name)
    assert (tmp_path / "roomy/vectors.npy").read_bytes() == (tmp_path / "plain/vectors.npy").read_bytes()
    for one, other in zip(roomy.search(vectors, 20), plain.search(vectors, 20), strict=True):
        assert np.array_equal(one, other)
    assert encoding.ENCODED_AT_ONCE <= indexed.STREAMED_AT_ONCE
