"""Several writers at one store: shares, locks, and a store that does not show who wrote it."""

from __future__ import annotations

import json
import multiprocessing
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from rankdistill import files, manifest
from rankdistill.errors import ConfigError, DataError, LockedError, OutputError, StaleOutputError, TeacherError
from rankdistill.progress import Progress
from rankdistill.stores import writer as writer_module
from rankdistill.stores.layout import Layout
from rankdistill.stores.reader import ScoreStore
from rankdistill.stores.shares import Share, living_shares, parse_share, taken
from rankdistill.stores.writer import Missing, ScoreWriter
from rankdistill.teachers import TeacherSpec
from tests.executors.pickling import PicklingExecutor
from tests.stores.conftest import DOCUMENTS, QUERIES, HashTeacher
from tests.stores.test_writer import contents

MakeWriter = Callable[..., ScoreWriter]
THIRDS = [Share(number, 3) for number in (1, 2, 3)]


@pytest.fixture
def whole(writer: MakeWriter, tmp_path: Path) -> dict[str, bytes]:
    """The bytes of a store that one writer made in one go."""
    writer(HashTeacher(), store="whole").run()
    return contents(tmp_path / "whole")


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
def test_shares_in_any_order_make_the_same_store_and_the_last_finishes_it(
    writer: MakeWriter, tmp_path: Path, whole: dict[str, bytes], order: tuple[int, ...]
) -> None:
    done = []
    for number in order:
        assert manifest.read(tmp_path / "store") is None
        done.append(writer(HashTeacher()).run(share=THIRDS[number]))
    assert [part.left for part in done][-1] == 0
    assert done[0].left == 5 - len(THIRDS[order[0]].of(5))
    assert sum(part.scored for part in done) == 300
    assert contents(tmp_path / "store") == whole


def test_processes_at_the_same_time_make_the_same_store(
    tmp_path: Path, candidates: Path, whole: dict[str, bytes]
) -> None:
    with ProcessPoolExecutor(3, mp_context=multiprocessing.get_context("spawn")) as pool:
        done = list(pool.map(partial(score_share, tmp_path / "store", candidates), (1, 2, 3)))
    assert done == [128, 128 - 20, 64]
    assert contents(tmp_path / "store") == whole


def score_share(store: Path, candidates: Path, number: int) -> int:
    """What each of three processes does; the number of pairs that it scored."""
    teacher = HashTeacher()
    ScoreWriter(
        store,
        queries=QUERIES,
        documents=DOCUMENTS,
        candidates=candidates,
        teacher=teacher,
        dataset_fingerprint="f" * 64,
        unit_size=64,
    ).run(share=Share(number, 3))
    return len(teacher.seen)


def test_a_share_that_was_interrupted_is_taken_up_by_a_writer_of_the_whole(
    writer: MakeWriter, tmp_path: Path, whole: dict[str, bytes]
) -> None:
    writer(HashTeacher()).run(share=THIRDS[1])
    with pytest.raises(KeyboardInterrupt):
        writer(HashTeacher(fail_after=64)).run(share=THIRDS[0])
    rest = HashTeacher()
    assert writer(rest).run().left == 0
    assert len(rest.seen) == 300 - 108 - 64
    assert contents(tmp_path / "store") == whole


def test_a_share_of_a_finished_store_changes_nothing(
    writer: MakeWriter, tmp_path: Path, whole: dict[str, bytes]
) -> None:
    assert writer(HashTeacher(), store="whole").run(share=THIRDS[2]).scored == 0
    assert contents(tmp_path / "whole") == whole


def test_more_shares_than_units_leave_some_writers_without_work(
    writer: MakeWriter, tmp_path: Path, whole: dict[str, bytes]
) -> None:
    scored = [writer(HashTeacher()).run(share=Share(number, 7)).scored for number in range(1, 8)]
    assert scored == [64, 64, 64, 64, 44, 0, 0]
    assert contents(tmp_path / "store") == whole


def test_the_counts_that_are_told_are_those_of_the_share(writer: MakeWriter) -> None:
    told: list[Missing] = []
    passed: list[int] = []
    done = writer(HashTeacher()).run(share=THIRDS[1], on_plan=told.append, progress=passed.append)
    assert told == [Missing(wanted=300, missing=300, share=108)]
    assert (sum(passed), done.scored, done.reused) == (108, 108, 0)


def test_a_share_that_lives_cannot_be_taken_again(writer: MakeWriter, tmp_path: Path) -> None:
    refused: list[LockedError] = []

    class Reentrant(HashTeacher):
        """While it scores, others try to write."""

        def score(self, pairs: Sequence[tuple[str, str]], progress: Progress | None = None) -> np.ndarray:
            if not refused:
                assert living_shares(Layout(tmp_path / "store").plan(self.teacher_id)) == ["1/3"]
                for other in (THIRDS[0], Share(), Share(2, 4)):
                    with pytest.raises(LockedError, match=r"another process writes share 1/3") as caught:
                        writer(HashTeacher()).run(share=other)
                    refused.append(caught.value)
                assert writer(HashTeacher()).run(share=THIRDS[1]).scored == 108
            return super().score(pairs, progress)

    writer(Reentrant()).run(share=THIRDS[0])
    assert len(refused) == 3
    assert "--shard 1/n to n/n" in refused[0].remedy


def test_other_candidates_wait_until_the_living_writers_are_done(
    writer: MakeWriter, candidates: Path, tmp_path: Path, whole: dict[str, bytes]
) -> None:
    half = tmp_path / "half.parquet"
    pq.write_table(pq.read_table(candidates).slice(0, 200), half)

    class Reentrant(HashTeacher):
        """While it scores, another comes with other candidates."""

        def score(self, pairs: Sequence[tuple[str, str]], progress: Progress | None = None) -> np.ndarray:
            for changed in ({"table": half}, {"unit_size": 32}):
                with pytest.raises(LockedError, match="of other candidates or texts, or with another unit size"):
                    writer(HashTeacher(), **changed).run(share=THIRDS[1])
            return super().score(pairs, progress)

    assert writer(Reentrant()).run().scored == 300


def test_two_teachers_score_into_one_store_at_the_same_time(writer: MakeWriter, tmp_path: Path) -> None:
    writer(HashTeacher("slow")).run(share=THIRDS[0])
    writer(HashTeacher("quick")).run()
    found = manifest.read(tmp_path / "store")
    assert found is not None
    assert list(found.parameters["teachers"]) == ["quick-0"]
    assert not any("slow" in name for name in found.outputs)
    writer(HashTeacher("slow")).run()
    for name in ("slow", "quick"):
        writer(HashTeacher(name), store="one after the other").run()
    assert set(contents(tmp_path / "store")) == set(contents(tmp_path / "one after the other"))
    assert ScoreStore(tmp_path / "store").count("slow-0") == 300


def test_a_short_wait_for_the_store_is_no_error(writer: MakeWriter, tmp_path: Path) -> None:
    with files.exclusive(tmp_path / "store"):
        release = threading.Event()
        waiting = ThreadPoolExecutor(1).submit(lambda: (release.set(), writer(HashTeacher()).run())[1])
        release.wait()
    assert waiting.result().scored == 300


def test_the_temporary_of_a_living_writer_elsewhere_stays_until_its_plan_is_done(
    writer: MakeWriter, tmp_path: Path, whole: dict[str, bytes]
) -> None:
    shard = tmp_path / "store" / "scores" / "hash-0" / "part"
    elsewhere = files.temporary_of(shard).name.replace(files.TEMPORARY_PREFIX, f"{files.TEMPORARY_PREFIX}00")
    shard.parent.mkdir(parents=True)
    shard.with_name(elsewhere).write_bytes(b"half a shard")
    files.temporary_of(shard).write_bytes(b"of a dead process with this number")
    writer(HashTeacher()).run(share=THIRDS[0])
    assert [path.name for path in shard.parent.glob(".tmp*")] == [elsewhere]
    writer(HashTeacher()).run()
    assert contents(tmp_path / "store") == whole


def test_a_kill_between_manifest_and_plan_leaves_a_store_that_can_be_read_and_taken_up(
    writer: MakeWriter, tmp_path: Path, whole: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(layout: Layout, teacher_id: str) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("rankdistill.stores.finishing.forget_plan", killed)
        with pytest.raises(KeyboardInterrupt):
            writer(HashTeacher()).run()
    assert ScoreStore(tmp_path / "store").count() == 300
    writer(HashTeacher()).run()
    assert contents(tmp_path / "store") == whole


def test_a_plan_that_others_finished_and_replaced_is_left_alone(
    writer: MakeWriter, candidates: Path, tmp_path: Path
) -> None:
    half = tmp_path / "half.parquet"
    pq.write_table(pq.read_table(candidates).slice(0, 150), half)
    late = writer(HashTeacher(), table=half)
    with late._begun(THIRDS[0], False) as (plan, _):
        writer(HashTeacher(), table=half).run(share=THIRDS[1])
    writer(HashTeacher(), table=half).run()
    writer(HashTeacher()).run(share=THIRDS[0])
    with files.exclusive(late.layout.root):
        assert writer_module.finish(late.layout, "hash-0", plan, {}, "late") == 0
    found = manifest.read(tmp_path / "store")
    assert found is not None
    assert found.command == ""
    assert (tmp_path / "store" / "plan").is_dir()


def test_a_fingerprint_that_differs_under_the_same_id_is_refused(writer: MakeWriter, tmp_path: Path) -> None:
    writer(HashTeacher()).run()
    other = HashTeacher()
    other.fingerprint = {"name": "hash", "weights": "others"}
    with pytest.raises(StaleOutputError, match="mixed under one id"):
        writer(other).run()
    assert ScoreStore(tmp_path / "store").fingerprint("hash-0") == {"name": "hash", "score_kind": "logit"}


@pytest.mark.parametrize("text", ["", "0/3", "4/3", "1", "a/b", "1/0", "-1/3", "1/3/5", "1.0/3"])
def test_a_bad_share_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="1 <= i <= n"):
        parse_share(text)


def test_shares_cut_the_units_without_overlap() -> None:
    assert [list(share.of(7)) for share in THIRDS] == [[0, 3, 6], [1, 4], [2, 5]]
    assert parse_share("2/3") == THIRDS[1]


def test_the_lock_of_a_share_ends_with_its_writer(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    with taken(layout.plan("hash-0"), THIRDS[0]), taken(layout.plan("hash-0"), THIRDS[2]):
        assert living_shares(layout.plan("hash-0")) == ["1/3", "3/3"]
    assert living_shares(layout.plan("hash-0")) == []
    with taken(layout.plan("hash-0"), Share()):
        pass


@dataclass(frozen=True)
class HashSpec(TeacherSpec):
    """Loads a `HashTeacher`."""

    kind: str = "hash"

    def load(self) -> HashTeacher:
        return HashTeacher(self.kind)


def test_workers_that_know_only_the_store_write_the_same_bytes(
    writer: MakeWriter, tmp_path: Path, whole: dict[str, bytes]
) -> None:
    passed: list[int] = []
    done = writer(HashTeacher(), spec=HashSpec()).run(executor=PicklingExecutor(), progress=passed.append)
    assert (done.scored, sum(passed)) == (300, 300)
    assert contents(tmp_path / "store") == whole


def test_a_worker_that_loads_another_teacher_scores_nothing(writer: MakeWriter, tmp_path: Path) -> None:
    with pytest.raises(TeacherError, match="other-0 on a worker"):
        writer(HashTeacher(), spec=HashSpec("other")).run(executor=PicklingExecutor())
    with pytest.raises(ConfigError, match="spec"):
        writer(HashTeacher()).run(executor=PicklingExecutor())
    assert not list((tmp_path / "store").rglob("part-*"))


def test_an_unreadable_plan_is_made_again(writer: MakeWriter, tmp_path: Path, whole: dict[str, bytes]) -> None:
    with pytest.raises(KeyboardInterrupt):
        writer(HashTeacher(fail_after=64)).run()
    note = tmp_path / "store" / "plan" / "hash-0" / "plan.json"
    note.write_text(json.dumps({"asked": json.loads(note.read_text())["asked"]}))
    writer(HashTeacher()).run()
    assert ScoreStore(tmp_path / "store").count() == 300


def test_the_store_is_unfinished_until_the_last_share(writer: MakeWriter, tmp_path: Path) -> None:
    writer(HashTeacher()).run(share=THIRDS[0])
    with pytest.raises(DataError, match="no manifest"):
        ScoreStore(tmp_path / "store")
    with pytest.raises(OutputError):
        writer(HashTeacher(), store="candidates.parquet").run(share=THIRDS[0])
