"""What an interrupted run left and was damaged since: the same command makes it again, and nothing whole is lost."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rankdistill import files, manifest, tables
from rankdistill.errors import DamagedError, StoreError
from rankdistill.stores import importing
from rankdistill.stores.broken import is_whole
from rankdistill.stores.embeddings import EmbeddingStore
from rankdistill.stores.embeddings import finishing as embeddings_finishing
from rankdistill.stores.embeddings.gathering import Gathered, gather
from rankdistill.stores.embeddings.layout import Layout
from rankdistill.stores.embeddings.sources import Sources
from rankdistill.stores.embeddings.text_files import TextFile
from rankdistill.stores.embeddings.writer import EmbeddingWriter
from rankdistill.stores.importing import ScoreTable, add_table
from rankdistill.stores.plan import read_plan
from rankdistill.stores.reader import ScoreStore
from rankdistill.stores.shares import Share
from rankdistill.stores.writer import ScoreWriter
from rankdistill.verbs.verify import verify
from tests.stores.conftest import HashTeacher
from tests.stores.embeddings.conftest import HashEmbedder
from tests.stores.embeddings.test_writer import contents

MakeWriter = Callable[..., ScoreWriter]
Gather = Callable[[int, int], Gathered]


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANKDISTILL_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def texts(tmp_path: Path) -> Gather:
    """Gathers the texts numbered `first` up to `end`."""

    def make(first: int, end: int) -> Gathered:
        path = tmp_path / f"{first}-{end}.txt"
        path.write_text("".join(f"text number {number}\n" for number in range(first, end)))
        return gather(Sources(files=[TextFile(path, "query")]), path.with_suffix(".parquet"))

    return make


def embedder(root: Path, gathered: Gathered, teacher: HashEmbedder | None = None) -> EmbeddingWriter:
    return EmbeddingWriter(root, gathered, teacher or HashEmbedder(), unit_size=16, lock_wait=0.0)


def in_a_page(path: Path) -> None:
    change(path, len(path.read_bytes()) // 3)


def in_the_footer(path: Path) -> None:
    """The name of a column, which has no checksum."""
    content = path.read_bytes()
    change(path, content.index(b"key", len(content) - 8 - int.from_bytes(content[-8:-4], "little")))


def change(path: Path, byte: int) -> None:
    content = bytearray(path.read_bytes())
    content[byte] ^= 1
    path.write_bytes(bytes(content))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-30])


def with_rows_of_another(path: Path) -> None:
    path.write_bytes(max(path.parent.glob("part-*")).read_bytes())


def in_what_wrote_it(path: Path) -> None:
    """Where nothing but the hash of the file tells."""
    change(path, path.read_bytes().rindex(b"parquet-cpp"))


HARM = pytest.mark.parametrize("harm", [in_a_page, in_the_footer, in_what_wrote_it, cut, with_rows_of_another])


def shards(folder: Path) -> list[Path]:
    return sorted(folder.glob("part-*"))


@HARM
def test_a_shard_of_an_interrupted_scoring_is_made_again(
    harm: Callable[[Path], None], writer: MakeWriter, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    writer(HashTeacher(), store="whole").run()
    with pytest.raises(KeyboardInterrupt):
        writer(HashTeacher(fail_after=128)).run()
    first = shards(tmp_path / "store" / "scores" / "hash-0")[0]
    harm(first)
    teacher = HashTeacher()
    assert writer(teacher).run().scored == len(teacher.seen) == 300 - 64
    assert f"{first} was damaged since it was written" in caplog.text
    assert verify(str(tmp_path / "store")).is_whole
    assert contents(tmp_path / "store") == contents(tmp_path / "whole")


@HARM
def test_a_shard_of_an_interrupted_embedding_is_made_again(
    harm: Callable[[Path], None], texts: Gather, tmp_path: Path
) -> None:
    gathered = texts(0, 60)
    embedder(tmp_path / "whole", gathered).run()
    with pytest.raises(KeyboardInterrupt):
        embedder(tmp_path / "store", gathered, HashEmbedder(fail_after=32)).run()
    harm(shards(tmp_path / "store" / "vectors")[0])
    assert embedder(tmp_path / "store", gathered).run().embedded == 60 - 16
    assert contents(tmp_path / "store") == contents(tmp_path / "whole")


def test_other_candidates_are_planned_without_a_broken_shard(
    writer: MakeWriter, candidates: Path, tmp_path: Path
) -> None:
    """What is stored is asked for its keys then, which were read without checksums."""
    with pytest.raises(KeyboardInterrupt):
        writer(HashTeacher(fail_after=128)).run()
    in_a_page(shards(tmp_path / "store" / "scores" / "hash-0")[0])
    few = tmp_path / "few.parquet"
    rows = pl.read_parquet(candidates).filter(pl.col("query_id") < "q010")
    tables.write_parquet(few, rows.to_arrow().cast(tables.CANDIDATES))
    assert writer(HashTeacher(), table=few).run().scored == 64
    assert writer(HashTeacher()).run().scored == 300 - 128
    assert verify(str(tmp_path / "store")).is_whole
    assert ScoreStore(tmp_path / "store").scores().height == 300


def test_what_is_damaged_while_the_run_lasts_is_removed_and_the_same_command_ends_it(
    writer: MakeWriter, tmp_path: Path
) -> None:
    root = tmp_path / "store"
    writer(HashTeacher()).run(share=Share(1, 2))
    first = shards(root / "scores" / "hash-0")[0]
    in_a_page(first)
    with pytest.raises(DamagedError, match="run the same command again") as told:
        writer(HashTeacher()).run(share=Share(2, 2))
    assert first.name in str(told.value)
    assert not first.exists()
    assert manifest.read(root) is None
    assert writer(HashTeacher()).run().scored == 64
    assert verify(str(root)).is_whole


def test_an_imported_shard_that_was_damaged_before_the_manifest_is_written_anew(
    candidates: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writer: MakeWriter
) -> None:
    pairs = pl.read_parquet(candidates).select("query_id", "doc_id").unique().sort("query_id", "doc_id")
    scored = pairs.with_columns(score=(pl.int_range(pl.len()) % 7).cast(pl.Float32))
    schema = pa.schema([(name, tables.SCORES.field(name).type) for name in ("query_id", "doc_id", "score")])
    tables.write_parquet(tmp_path / "scores.parquet", scored.to_arrow().cast(schema))
    made = writer(HashTeacher())
    given = made.queries, made.documents
    table = ScoreTable("mine", {"content": "x"}, tmp_path / "scores.parquet", candidates, given, {})
    with monkeypatch.context() as patch:
        patch.setattr(importing, "_write_manifest", interrupted)
        with pytest.raises(KeyboardInterrupt):
            add_table(tmp_path / "store", table)
    (shard,) = (tmp_path / "store" / "scores").rglob("part-*")
    in_a_page(shard)
    with pytest.raises(DamagedError, match="`import` again"):  # another teacher does not remove what it cannot make
        writer(HashTeacher()).run()
    assert shard.exists()
    assert add_table(tmp_path / "store", table)
    assert writer(HashTeacher()).run().scored in (0, 300)
    assert verify(str(tmp_path / "store")).is_whole
    assert ScoreStore(tmp_path / "store").scores(table.teacher_id)["score"].to_list() == scored["score"].to_list()


def interrupted(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_candidate_table_that_no_manifest_names_is_copied_again(writer: MakeWriter, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        writer(HashTeacher(fail_after=128)).run()
    (table,) = (tmp_path / "store" / "candidates").iterdir()
    in_a_page(table)
    writer(HashTeacher()).run()
    assert files.hash_file(table).startswith(table.stem)
    assert verify(str(tmp_path / "store")).is_whole


@pytest.mark.parametrize("name", ["queries.parquet", "documents.parquet"])
def test_the_remedy_for_texts_of_an_unfinished_store_works(writer: MakeWriter, tmp_path: Path, name: str) -> None:
    with pytest.raises(KeyboardInterrupt):
        writer(HashTeacher(fail_after=128)).run()
    in_a_page(tmp_path / "store" / name)
    with pytest.raises(DamagedError, match="remove that file and run the same command again"):
        writer(HashTeacher()).run()
    (tmp_path / "store" / name).unlink()
    assert writer(HashTeacher()).run().scored == 300 - 128
    assert verify(str(tmp_path / "store")).is_whole


def test_a_shard_is_whole_only_with_the_keys_of_its_name(writer: MakeWriter, tmp_path: Path) -> None:
    writer(HashTeacher()).run()
    found = shards(tmp_path / "store" / "scores" / "hash-0")
    assert all(map(is_whole, found))
    rows = pq.read_table(found[0])
    tables.write_parquet(found[0], rows.slice(1))
    assert not is_whole(found[0])
    assert not is_whole(found[0].with_name("part-000009-00.parquet"))


def test_a_shard_whose_hash_nobody_wrote_down_is_known_by_its_pages_and_keys(
    writer: MakeWriter, tmp_path: Path
) -> None:
    """As plans of versions before: they have the seconds alone."""
    with pytest.raises(KeyboardInterrupt):
        writer(HashTeacher(fail_after=128)).run()
    first, second = shards(tmp_path / "store" / "scores" / "hash-0")
    for path in (tmp_path / "store" / "plan" / "hash-0").glob("seconds-*"):
        path.write_text("0.5\n")
    in_a_page(first)
    kept = second.read_bytes()
    assert writer(HashTeacher()).run().scored == 300 - 64
    assert second.read_bytes() == kept
    assert verify(str(tmp_path / "store")).is_whole
    seconds = json.loads((tmp_path / "store" / ".times.json").read_text())["content"]["hash-0"]
    assert len(seconds) == 5
    assert seconds[second.stem.rpartition("-")[2]] == 0.5


@pytest.fixture
def growing(texts: Gather, tmp_path: Path) -> tuple[Path, Gathered, Gathered]:
    """A finished store of 40 texts that is interrupted while it gets 40 more."""
    old, new = texts(0, 40), texts(40, 80)
    embedder(tmp_path / "store", old).run()
    for gathered in (old, new):
        embedder(tmp_path / "whole", gathered).run()
    with pytest.raises(KeyboardInterrupt):
        embedder(tmp_path / "store", new, HashEmbedder(fail_after=16)).run()
    return tmp_path / "store", old, new


@pytest.mark.parametrize("harm", [in_a_page, in_what_wrote_it, cut, Path.unlink])
@pytest.mark.parametrize("when", ["before it is taken up", "while it is worked on"])
def test_planned_texts_that_were_damaged_never_replace_the_stores(
    harm: Callable[[Path], None], when: str, growing: tuple[Path, Gathered, Gathered], caplog: pytest.LogCaptureFixture
) -> None:
    root, _, new = growing
    planned = Layout(root).planned_texts
    caplog.set_level("INFO", "rankdistill")
    writer = embedder(root, new)
    if when == "before it is taken up":
        harm(planned)
        done = writer.run()
    else:
        done = writer.run(on_plan=lambda _: harm(planned))
    assert done.embedded == 40 - 16, "no vector is made twice"
    assert "is damaged: it is made again" in caplog.text
    assert (root / "texts.parquet").read_bytes() == (root.with_name("whole") / "texts.parquet").read_bytes()
    assert verify(str(root)).is_whole
    store = EmbeddingStore(root)
    assert store.texts()["text"].to_pylist() == [f"text number {number}" for number in range(80)]
    assert np.array_equal(store.vectors(), EmbeddingStore(root.with_name("whole")).vectors())


def test_a_copy_of_the_planned_texts_that_went_wrong_leaves_the_stores_as_they_were(
    growing: tuple[Path, Gathered, Gathered], monkeypatch: pytest.MonkeyPatch
) -> None:
    root, _, new = growing
    before = (root / "texts.parquet").read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(embeddings_finishing.shutil, "copyfileobj", lambda source, target: target.write(b"wrong"))
        with pytest.raises(StoreError, match=r"texts\.parquet is as it was"):
            embedder(root, new).run()
    assert (root / "texts.parquet").read_bytes() == before
    assert len(EmbeddingStore(root).texts()) == 40
    embedder(root, new).run()
    assert contents(root) == contents(root.with_name("whole"))


def test_a_plan_that_is_damaged_while_it_is_worked_on_is_not_taken_for_done(
    growing: tuple[Path, Gathered, Gathered], writer: MakeWriter, tmp_path: Path
) -> None:
    root, _, new = growing

    def harm(note: Path) -> None:
        content = json.loads(note.read_text())
        note.write_text(json.dumps(content | {"wanted": content["wanted"] + 1}))

    with pytest.raises(StoreError, match="run the same command again"):
        embedder(root, new).run(on_plan=lambda _: harm(root / "plan" / "plan.json"))
    assert embedder(root, new).run().embedded == 0
    assert contents(root) == contents(root.with_name("whole"))
    scored = tmp_path / "scored"
    with pytest.raises(StoreError, match="run the same command again"):
        writer(HashTeacher(), store="scored").run(on_plan=lambda _: harm(scored / "plan" / "hash-0" / "plan.json"))
    assert writer(HashTeacher(), store="scored").run().scored == 0
    assert verify(str(scored)).is_whole


def test_a_plan_of_before_without_a_hash_of_its_texts_is_made_again(
    growing: tuple[Path, Gathered, Gathered],
) -> None:
    root, _, new = growing
    note = root / "plan" / "plan.json"
    content = {name: value for name, value in json.loads(note.read_text()).items() if name not in ("beside", "check")}
    note.write_text(json.dumps(content | {"check": manifest.digest(content)}))
    assert read_plan(root / "plan") is not None
    assert embedder(root, new).run().embedded == 24
    assert verify(str(root)).is_whole
    assert len(EmbeddingStore(root).vectors()) == 80
