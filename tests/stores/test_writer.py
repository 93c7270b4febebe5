"""The store scores each pair once, survives interruption at any unit, and keeps bad scores out."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest

from rankdistill import files, manifest
from rankdistill.errors import DataError, LockedError, StaleOutputError, StoreError, TeacherError
from rankdistill.stores import times
from rankdistill.stores.reader import ScoreStore
from rankdistill.stores.writer import ScoreWriter
from tests.stores.conftest import DOCUMENTS, QUERIES, HashTeacher, expected_score
from tests.stores.unclocked import unclocked

MakeWriter = Callable[..., ScoreWriter]


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): unclocked(path) for path in sorted(folder.rglob("*")) if path.is_file()
    }


def test_every_unique_pair_is_scored_exactly_once(writer: MakeWriter, tmp_path: Path) -> None:
    teacher = HashTeacher()
    done = writer(teacher).run()
    assert (done.scored, done.reused) == (300, 0)
    assert len(teacher.seen) == len(set(teacher.seen)) == 300
    scores = ScoreStore(tmp_path / "store").scores()
    assert scores.equals(scores.sort("query_id", "doc_id"))
    for query_id, doc_id, score in scores.iter_rows():
        assert score == pytest.approx(expected_score(QUERIES[query_id], DOCUMENTS[doc_id]), rel=1e-6)


def test_two_documents_with_one_text_are_scored_once(writer: MakeWriter, tmp_path: Path) -> None:
    same = dict.fromkeys(DOCUMENTS, "the same text")
    teacher = HashTeacher()
    writer(teacher, documents=same, unit_size=1000).run()
    assert len(teacher.seen) == len(QUERIES)
    assert len(ScoreStore(tmp_path / "store").scores()) == 300


def test_a_second_run_scores_nothing_and_changes_no_byte(writer: MakeWriter, tmp_path: Path) -> None:
    writer(HashTeacher()).run()
    before = contents(tmp_path / "store")
    again = HashTeacher()
    assert writer(again).run().reused == 300
    assert again.seen == []
    assert contents(tmp_path / "store") == before


@pytest.mark.parametrize("finished", [0, 1, 63, 64, 130, 256])
def test_a_resumed_store_is_byte_identical_to_an_uninterrupted_one(
    writer: MakeWriter, tmp_path: Path, finished: int
) -> None:
    writer(HashTeacher(), store="whole").run()
    with pytest.raises(KeyboardInterrupt):
        writer(HashTeacher(fail_after=finished), store="cut").run()
    with pytest.raises(DataError, match="no manifest"):
        ScoreStore(tmp_path / "cut")
    (tmp_path / "cut" / ".tmp-123-part").write_bytes(b"half a shard")
    resumed = HashTeacher()
    writer(resumed, store="cut").run()
    assert len(resumed.seen) == 300 - math.ceil(finished / 64) * 64
    assert contents(tmp_path / "cut") == contents(tmp_path / "whole")


def test_new_candidates_are_added_by_set_subtraction(writer: MakeWriter, candidates: Path, tmp_path: Path) -> None:
    table = pq.read_table(candidates)
    half = tmp_path / "half.parquet"
    pq.write_table(table.slice(0, 200), half)
    first = HashTeacher()
    writer(first, table=half).run()
    second = HashTeacher()
    writer(second).run()
    assert not set(first.seen) & set(second.seen)
    assert len(first.seen) + len(second.seen) == 300
    store = ScoreStore(tmp_path / "store")
    assert store.scores().n_unique(["query_id", "doc_id"]) == 300
    assert store.candidates().height == len(table)


def test_other_candidates_after_an_interruption_lose_no_finished_shard(
    writer: MakeWriter, candidates: Path, tmp_path: Path
) -> None:
    half = tmp_path / "half.parquet"
    pq.write_table(pq.read_table(candidates).slice(0, 200), half)
    cut = HashTeacher(fail_after=64)
    with pytest.raises(KeyboardInterrupt):
        writer(cut, table=half).run()
    rest = HashTeacher()
    writer(rest).run()
    assert not set(cut.seen) & set(rest.seen)
    assert len(ScoreStore(tmp_path / "store").scores()) == 300


def test_each_teacher_has_its_own_scores(writer: MakeWriter, tmp_path: Path) -> None:
    writer(HashTeacher("one")).run()
    writer(HashTeacher("two")).run()
    store = ScoreStore(tmp_path / "store")
    assert store.teacher_ids == ["one-0", "two-0"]
    assert store.fingerprint("two-0") == {"name": "two", "score_kind": "logit"}
    with pytest.raises(StoreError, match=r"one \(one-0\), two \(two-0\)"):
        store.scores()
    assert store.scores("one-0").equals(store.scores("two-0"))


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
def test_a_score_that_is_not_finite_never_enters(writer: MakeWriter, tmp_path: Path, wrong: float) -> None:
    with pytest.raises(TeacherError, match="1 of 64 are NaN or infinite"):
        writer(HashTeacher(wrong=wrong)).run()
    assert not list((tmp_path / "store" / "scores").rglob("*.parquet"))


def test_a_wrong_number_of_scores_is_refused(writer: MakeWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    teacher = HashTeacher()
    monkeypatch.setattr(teacher, "score", lambda pairs, progress: np.zeros((len(pairs), 3)))
    with pytest.raises(TeacherError, match=r"\(64, 3\)"):
        writer(teacher).run()


def test_a_text_that_changed_under_its_id_is_refused(writer: MakeWriter) -> None:
    writer(HashTeacher()).run()
    changed = DOCUMENTS | {"d003": "another text"}
    with pytest.raises(StaleOutputError, match="d003"):
        writer(HashTeacher(), documents=changed).run()


def test_candidates_naming_unknown_documents_are_refused(writer: MakeWriter) -> None:
    known = {name: text for name, text in DOCUMENTS.items() if name != "d003"}
    with pytest.raises(DataError, match="d003"):
        writer(HashTeacher(), documents=known).run()
    with pytest.raises(DataError, match="d003"):
        writer(HashTeacher(), documents=known).plan()


def test_unsorted_candidates_are_refused(writer: MakeWriter, candidates: Path, tmp_path: Path) -> None:
    table = pq.read_table(candidates)
    pq.write_table(table.take(list(range(len(table) - 1, -1, -1))), tmp_path / "reversed.parquet")
    with pytest.raises(DataError, match="sorted"):
        writer(HashTeacher(), table=tmp_path / "reversed.parquet").run()


def test_a_second_writer_is_refused(writer: MakeWriter, tmp_path: Path) -> None:
    with files.exclusive(tmp_path / "store"), pytest.raises(LockedError, match="another process"):
        writer(HashTeacher(), lock_wait=0.1).run()


def test_the_plan_counts_without_writing(writer: MakeWriter, tmp_path: Path) -> None:
    missing = writer(HashTeacher()).plan()
    assert (missing.wanted, missing.missing) == (300, 300)
    assert not (tmp_path / "store").exists()


def test_a_lost_shard_is_noticed_and_made_again(writer: MakeWriter, tmp_path: Path) -> None:
    writer(HashTeacher()).run()
    before = contents(tmp_path / "store")
    shards = sorted((tmp_path / "store" / "scores" / "hash-0").iterdir())
    shards[2].unlink()
    with pytest.raises(StoreError, match="5 shards"):
        ScoreStore(tmp_path / "store").scores()
    assert writer(HashTeacher()).run().scored == 64
    after = ScoreStore(tmp_path / "store").scores()
    whole = pl.concat([pl.read_parquet(data) for name, data in before.items() if name.startswith("scores/")])
    assert after.equals(whole.select("query_id", "doc_id", "score").sort("query_id", "doc_id"))


def test_the_manifest_lists_every_file_with_its_hash(writer: MakeWriter, tmp_path: Path) -> None:
    writer(HashTeacher()).run(command="rankdistill score --out .")
    found = manifest.read(tmp_path / "store")
    assert found is not None
    assert found.command == "rankdistill score --out ."
    assert found.parameters["teachers"] == {"hash-0": {"name": "hash", "score_kind": "logit"}}
    on_disk = {name for name in contents(tmp_path / "store") if name not in {"manifest.json", ".lock", times.FILE_NAME}}
    assert set(found.outputs) == on_disk
    assert all(files.hash_file(tmp_path / "store" / name) == value for name, value in found.outputs.items())
