"""A teacher that ranks all documents of a query together gets them in one call, and never some of them later."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from rankdistill.errors import StaleOutputError
from rankdistill.stores.reader import ScoreStore
from rankdistill.stores.writer import ScoreWriter
from tests.stores.conftest import DOCUMENTS, QUERIES, HashTeacher, expected_score
from tests.stores.test_writer import contents

MakeWriter = Callable[..., ScoreWriter]


class RankTeacher(HashTeacher):
    """Gives each pair the negative of its place among the pairs of the same query in one call."""

    score_kind = "rank"
    whole_queries = True

    def score(self, pairs: Sequence[tuple[str, str]], progress: Callable[[int], object] | None = None) -> np.ndarray:
        scores = super().score(pairs, progress)
        queries = np.array([query for query, _ in pairs])
        places = [
            int(((queries == query) & (scores > score)).sum()) for query, score in zip(queries, scores, strict=True)
        ]
        return -np.array(places, dtype=np.float32)


@pytest.mark.parametrize("unit_size", [1, 7, 10, 64, 1000])
def test_units_are_cut_between_queries(writer: MakeWriter, tmp_path: Path, unit_size: int) -> None:
    writer(RankTeacher(), unit_size=unit_size).run()
    scores = ScoreStore(tmp_path / "store").scores()
    assert len(scores) == 300
    for (query_id,), rows in scores.group_by("query_id"):
        assert sorted(rows["score"]) == [float(score) for score in range(-9, 1)]
        expected = {doc_id: expected_score(QUERIES[str(query_id)], DOCUMENTS[doc_id]) for doc_id in rows["doc_id"]}
        assert rows.sort("score", descending=True)["doc_id"].to_list() == sorted(
            expected, key=lambda doc_id: -expected[doc_id]
        )
    sizes = [pq.read_metadata(path).num_rows for path in (tmp_path / "store").rglob("part-*.parquet")]
    assert all(size % 10 == 0 and size <= max(10, unit_size) for size in sizes)


@pytest.mark.parametrize("finished", [1, 60, 130])
def test_a_resumed_ranking_is_byte_identical(writer: MakeWriter, tmp_path: Path, finished: int) -> None:
    writer(RankTeacher(), store="whole").run()
    with pytest.raises(KeyboardInterrupt):
        writer(RankTeacher(fail_after=finished), store="cut").run()
    writer(RankTeacher(), store="cut").run()
    assert contents(tmp_path / "cut") == contents(tmp_path / "whole")


def test_new_queries_are_added_and_split_ones_refused(writer: MakeWriter, candidates: Path, tmp_path: Path) -> None:
    table = pq.read_table(candidates)
    tables = {name: tmp_path / f"{name}.parquet" for name in ("some", "split")}
    pq.write_table(table.slice(0, 150), tables["some"])
    pq.write_table(table.slice(0, 155), tables["split"])
    writer(RankTeacher(), table=tables["some"]).run()
    writer(RankTeacher(), table=tables["split"], store="other").run()
    assert writer(RankTeacher()).run().scored == 200
    before = contents(tmp_path / "other")
    again = RankTeacher()
    with pytest.raises(StaleOutputError, match="has ranked some, as 'q010'"):
        writer(again, store="other").plan()
    with pytest.raises(StaleOutputError, match="into a new store"):
        writer(again, store="other").run()
    assert not again.seen
    assert contents(tmp_path / "other") == before
