"""Writing an embedding store: once a text, to the same bytes whatever happens, and never for another teacher."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from rankdistill import data, files, manifest
from rankdistill.errors import ConfigError, DamagedError, DataError, LockedError, StaleOutputError, TeacherError
from rankdistill.stores.embeddings import EmbeddingStore
from rankdistill.stores.embeddings.gathering import Gathered, gather
from rankdistill.stores.embeddings.layout import Layout
from rankdistill.stores.embeddings.sources import Sources
from rankdistill.stores.embeddings.text_files import TextFile
from rankdistill.stores.plan import read_plan
from rankdistill.stores.shares import Share, taken
from rankdistill.stores.writer import Missing
from rankdistill.teachers import TeacherSpec
from tests.executors.pickling import PicklingExecutor
from tests.forked import Forked
from tests.stores.embeddings.conftest import HashEmbedder, MakeWriter, expected
from tests.stores.unclocked import unclocked


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a store but locks, and but the copies that reading makes."""
    found = (path for path in folder.rglob("*") if path.is_file() and path.name != files.LOCK_NAME)
    return {path.relative_to(folder).as_posix(): unclocked(path) for path in found if path.parent.name != "mapped"}


@pytest.fixture
def whole(writer: MakeWriter, tmp_path: Path) -> dict[str, bytes]:
    """The bytes of a store that was written in one go."""
    writer(HashEmbedder(), store="whole").run()
    return contents(tmp_path / "whole")


def test_each_text_is_embedded_once_in_the_role_of_its_kind(
    writer: MakeWriter, gathered: Gathered, tmp_path: Path
) -> None:
    teacher, told, passed = HashEmbedder(), [], []
    done = writer(teacher).run(on_plan=told.append, progress=passed.append)
    rows = pq.read_table(gathered.path).to_pylist()
    assert sorted(teacher.seen) == sorted((row["kind"], row["text"]) for row in rows)
    assert (done.embedded, done.reused, done.left) == (len(gathered), 0, 0)
    assert told == [Missing(len(gathered), len(gathered), len(gathered))]
    assert sum(passed) == len(gathered)
    shard = pq.read_table(min((tmp_path / "store" / "vectors").iterdir()))
    assert shard.column_names == ["text_id", "key", "vector", "truncated"]
    assert len(shard) == 16


def test_the_manifest_says_what_made_it(writer: MakeWriter, gathered: Gathered, tiny_sources: Sources) -> None:
    built = writer(HashEmbedder())
    built.run(command="rankdistill embed")
    found = manifest.expect(built.layout.root, "embeddings", "embed")
    assert found.parameters["teacher"]["prompts"] == {"query": "q: ", "document": ""}
    assert found.parameters["gathered"] == gathered.tallies
    assert sum(found.parameters["texts"].values()) == len(gathered)
    assert set(found.inputs.values()) >= {tiny_sources.datasets[0].fingerprint}
    assert "path/to/model" not in (built.layout.root / "manifest.json").read_text()
    assert not (built.layout.root / "plan").exists()


@pytest.mark.parametrize("after", [1, 40, 100])
def test_an_interrupted_store_is_taken_up_and_has_the_same_bytes(
    writer: MakeWriter, tmp_path: Path, whole: dict[str, bytes], after: int
) -> None:
    with pytest.raises(KeyboardInterrupt):
        writer(HashEmbedder(fail_after=after)).run()
    assert manifest.read(tmp_path / "store") is None
    rest = HashEmbedder()
    done = writer(rest).run()
    assert len(rest.seen) == done.embedded < done.embedded + done.reused
    assert contents(tmp_path / "store") == whole


def test_again_changes_nothing(writer: MakeWriter, tmp_path: Path, whole: dict[str, bytes]) -> None:
    teacher = HashEmbedder()
    assert writer(teacher, store="whole").run().embedded == 0
    assert not teacher.seen
    assert contents(tmp_path / "whole") == whole


@pytest.mark.parametrize("order", [(1, 2, 3), (3, 1, 2)])
def test_shares_in_any_order_make_the_same_store(
    writer: MakeWriter, tmp_path: Path, whole: dict[str, bytes], order: tuple[int, ...]
) -> None:
    left = [writer(HashEmbedder()).run(share=Share(number, 3)).left for number in order]
    assert left[-1] == 0
    assert all(left[:-1])
    assert contents(tmp_path / "store") == whole


def test_new_texts_are_added_and_the_old_keep_their_rows(
    writer: MakeWriter, gathered: Gathered, tiny_sources: Sources, tmp_path: Path
) -> None:
    writer(HashEmbedder()).run()
    before = EmbeddingStore(tmp_path / "store")
    rows, vectors = before.texts().to_pylist(), np.array(before.vectors())
    (tmp_path / "more.txt").write_text("a new text\nriver 0\nanother new text\n")
    more = gather(Sources(tiny_sources.datasets, [TextFile(tmp_path / "more.txt", "query")]), tmp_path / "more.parquet")
    teacher = HashEmbedder()
    done = writer(teacher, texts=more).run()
    assert done.embedded == len(teacher.seen) == len(more) - len(gathered)
    after = EmbeddingStore(tmp_path / "store")
    assert after.texts().to_pylist()[: len(rows)] == rows
    assert np.array_equal(after.vectors()[: len(rows)], vectors)
    assert len(after) == len(after.vectors()) == len(more)
    assert after.find(["another new text"], "query").tolist() == [len(more) - 1]


def test_another_lot_of_texts_supersedes_an_interrupted_one(
    writer: MakeWriter, gathered: Gathered, lines: Callable[..., Sources], tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        writer(HashEmbedder(fail_after=40)).run()
    other = gather(lines(20), tmp_path / "other.parquet")
    writer(HashEmbedder(), texts=other).run()
    assert EmbeddingStore(tmp_path / "store").texts()["source"].unique().to_pylist() == ["lines.txt"]
    rest = HashEmbedder()
    writer(rest).run()
    assert 0 < len(rest.seen) < len(gathered)
    store = EmbeddingStore(tmp_path / "store")
    kinds, texts = (store.texts()[name].to_pylist() for name in ("kind", "text"))
    assert len(texts) == len(gathered) + 20
    wanted = np.stack([expected(kind, text) for kind, text in zip(kinds, texts, strict=True)])
    assert np.array_equal(store.vectors(), wanted)


def test_a_test_query_of_an_earlier_run_stays_out_and_one_of_a_later_run_goes(
    writer: MakeWriter, gathered: Gathered, tiny_beir: Path, tmp_path: Path
) -> None:
    test_query = next(iter(data.load(tiny_beir).queries("test").values()))
    (tmp_path / "a.txt").write_text(f"{test_query}\nsomething else\n")
    leaking = gather(Sources(files=[TextFile(tmp_path / "a.txt", "query")]), tmp_path / "a.parquet")
    for name, order in (("one", (gathered, leaking)), ("two", (leaking, gathered))):
        for texts in order:
            writer(HashEmbedder(), store=name, texts=texts).run()
        found = EmbeddingStore(tmp_path / name)
        assert found.find([test_query, "something else"], "query").tolist()[0] == -1
        assert len(found.vectors()) == len(found) == len(gathered) + 1
    assert writer(HashEmbedder(), store="one", texts=leaking).plan().wanted == 1


def test_what_must_not_get_in_is_written_again_where_it_was_removed(
    writer: MakeWriter, gathered: Gathered, tmp_path: Path, whole: dict[str, bytes]
) -> None:
    assert gathered.held_out
    with pytest.raises(KeyboardInterrupt):
        writer(HashEmbedder(fail_after=40)).run()
    path = tmp_path / "store" / "held_out.parquet"
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(DamagedError, match="remove that file and run the same command again"):
        writer(HashEmbedder()).run()
    path.unlink()
    writer(HashEmbedder()).run()
    assert contents(tmp_path / "store") == whole


def test_planning_writes_nothing(writer: MakeWriter, gathered: Gathered, tmp_path: Path) -> None:
    built = writer(HashEmbedder())
    assert built.plan() == Missing(len(gathered), len(gathered), len(gathered))
    assert built.sample_rate(50) > 0
    assert built.bytes_a_vector == 32
    assert not (tmp_path / "store").exists()
    with pytest.raises(KeyboardInterrupt):
        writer(HashEmbedder(fail_after=32)).run()
    before = contents(tmp_path / "store")
    assert built.plan().missing == len(gathered) - 32
    assert contents(tmp_path / "store") == before


@pytest.mark.parametrize(
    ("changed", "says"),
    [({"name": "other"}, "fingerprint.name was 'hash', is now 'other'"), ({"dtype": "float16"}, "dtype was 'float32'")],
)
def test_a_store_of_another_teacher_or_format_is_refused(
    writer: MakeWriter, tmp_path: Path, whole: dict[str, bytes], changed: dict[str, str], says: str
) -> None:
    given = dict(changed)
    built = writer(HashEmbedder(given.pop("name", "hash")), store="whole", **given)
    for act in (built.run, built.plan):
        with pytest.raises(StaleOutputError, match=says):
            act()
    assert contents(tmp_path / "whole") == whole


def test_the_same_teacher_may_lie_elsewhere(writer: MakeWriter, tmp_path: Path, whole: dict[str, bytes]) -> None:
    moved = HashEmbedder()
    moved.reference = "another/path"
    writer(moved, store="whole").run()
    assert contents(tmp_path / "whole") == whole


def test_a_folder_with_something_else_is_left_alone(writer: MakeWriter, tmp_path: Path) -> None:
    manifest.Manifest("scores").write(files.make_folder(tmp_path / "store"))
    with pytest.raises(StaleOutputError, match="it holds 'scores'"):
        writer(HashEmbedder()).run()
    assert [path.name for path in (tmp_path / "store").iterdir()] == ["manifest.json"]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_what_is_not_finite_never_gets_in(writer: MakeWriter, tmp_path: Path, value: float, dtype: str) -> None:
    with pytest.raises(TeacherError, match="look at these texts"):
        writer(HashEmbedder(value=value), dtype=dtype).run()
    assert not list((tmp_path / "store").rglob("part-*"))
    assert manifest.read(tmp_path / "store") is None


def test_a_number_too_large_for_float16_is_an_error(writer: MakeWriter) -> None:
    with pytest.raises(TeacherError, match="below 65504, the largest float16") as caught:
        writer(HashEmbedder(value=1e5), dtype="float16").run()
    assert "--dtype float32" in caught.value.remedy
    assert writer(HashEmbedder(value=1e5), store="other").run().left == 0


def test_vectors_of_another_shape_are_an_error(writer: MakeWriter) -> None:
    class Narrow(HashEmbedder):
        def embed(self, texts, role, progress=None):  # type: ignore[no-untyped-def]
            return super().embed(texts, role, progress)[:, 1:]

    with pytest.raises(TeacherError, match=r"of shape \[\d+, 8\]"):
        writer(Narrow()).run()


def test_the_lock_is_held_only_to_begin_and_to_end(writer: MakeWriter, tmp_path: Path) -> None:
    with files.exclusive(tmp_path / "store"), pytest.raises(LockedError):
        writer(HashEmbedder()).run()
    with pytest.raises(KeyboardInterrupt):
        writer(HashEmbedder(fail_after=0)).run()
    with taken(Layout(tmp_path / "store").plan, Share(1, 2)):
        with pytest.raises(LockedError, match="another process writes share 1/2"):
            writer(HashEmbedder()).run()
        assert writer(HashEmbedder()).run(share=Share(2, 2)).embedded


def test_workers_elsewhere_load_the_teacher_themselves(
    writer: MakeWriter, tmp_path: Path, whole: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TeacherSpec, "load", lambda spec: HashEmbedder(str(spec.settings["name"])))
    spec = TeacherSpec("embedding", {"name": "hash"})
    writer(HashEmbedder(), spec=spec).run(executor=PicklingExecutor())
    assert contents(tmp_path / "store") == whole
    with pytest.raises(ConfigError, match="that other processes can load"):
        writer(HashEmbedder(), store="b").run(executor=PicklingExecutor())
    with pytest.raises(TeacherError, match="every worker to load"):
        writer(HashEmbedder("one"), store="c", spec=spec).run(executor=PicklingExecutor())


def test_a_store_that_is_not_finished_is_not_read(writer: MakeWriter, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        writer(HashEmbedder(fail_after=40)).run()
    with pytest.raises(DataError, match="no manifest"):
        EmbeddingStore(tmp_path / "store")
    plan = read_plan(Layout(tmp_path / "store").plan)
    assert plan is not None
    assert json.loads((tmp_path / "store" / "plan" / "plan.json").read_text())["wanted"] == plan.wanted


_KILLED = """
import sys
from pathlib import Path
from rankdistill.stores.embeddings.gathering import gather
from rankdistill.stores.embeddings.sources import Sources
from rankdistill.stores.embeddings.text_files import TextFile
from rankdistill.stores.embeddings.writer import EmbeddingWriter
from tests.stores.embeddings.conftest import HashEmbedder
import time

class Slow(HashEmbedder):
    def embed(self, texts, role, progress=None):
        time.sleep(0.02)
        return super().embed(texts, role, progress)

root, texts, work = map(Path, sys.argv[1:])
gathered = gather(Sources(files=[TextFile(texts, "query")]), work)
print("begun", flush=True)
EmbeddingWriter(root, gathered, Slow(), unit_size=8).run()
"""


@pytest.mark.parametrize("instants", [(0.3,), pytest.param((0.02, 0.2, 0.4, 0.6), marks=pytest.mark.slow)])
def test_killed_at_any_instant_it_is_resumed_to_the_same_bytes(tmp_path: Path, instants: tuple[float, ...]) -> None:
    (tmp_path / "texts.txt").write_text("".join(f"a text {number}\n" for number in range(300)))

    def start(name: str) -> Forked:
        return Forked(_KILLED, tmp_path / name, tmp_path / "texts.txt", tmp_path / f"{name}.parquet")

    for instant in instants:
        with start("killed") as process:
            process.says("begun")
            time.sleep(instant)
            process.send(signal.SIGKILL)
            assert process.ended() == -signal.SIGKILL
    for name in ("killed", "whole"):
        with start(name) as process:
            assert process.ended() == 0, process.errors
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")
