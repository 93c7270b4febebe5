"""`verify`: every file's state, the exit status, and scoring again what is damaged, to the same bytes."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import rankdistill as rd
from benchmarks import flips
from rankdistill import files, integrity, locations
from rankdistill.cli.main import build_app
from rankdistill.errors import (
    ConfigError,
    DamagedError,
    DataError,
    ModelReferenceError,
    OutputError,
    StoreError,
    TeacherError,
)

RUNNER = CliRunner()


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return flips.kinds()["scores"].make(tmp_path)


def _shards(store: Path) -> list[Path]:
    return locations.listing(store / "scores" / "letters-0", "part-*")


def _bytes(store: Path) -> dict[str, bytes]:
    return {path.relative_to(store).as_posix(): path.read_bytes() for path in locations.all_files(store)}


def test_what_is_whole_is_said_to_be(store: Path, tmp_path: Path) -> None:
    found = rd.verify(tmp_path)
    assert found.is_whole
    assert {one.kind for one in found} == {"dataset", "candidates", "scores"}
    (only,) = rd.verify(store).artefacts
    assert {file.state for file in only.files} == {"whole"}
    assert len(only.files) == 3 + 1 + 1 + len(_shards(store))
    assert found.to_polars().height == sum(len(one.files) for one in found)


def test_each_file_that_is_not_as_it_was_is_named(store: Path) -> None:
    first, second = _shards(store)[:2]
    flips.flip(first, 50, 2)
    second.unlink()
    (store / "notes.txt").write_text("a user's own")
    (only,) = rd.verify(store).artefacts
    assert only.names("damaged") == [first.relative_to(store).as_posix()]
    assert only.names("missing") == [second.relative_to(store).as_posix()]
    assert only.names("unknown") == ["notes.txt"]
    said = "\n".join(rd.verify(store).lines())
    assert f"{first}: damaged" in said
    assert f"{second}: missing" in said
    assert "--repair" in said


def test_a_file_that_the_disk_does_not_give_counts_as_damaged_and_the_others_are_read(
    store: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    first = _shards(store)[0]
    usual = files.hash_file

    def hash_file(path: Path) -> str:
        if path == first:
            raise OSError(errno.EIO, "Input/output error")
        return usual(path)

    monkeypatch.setattr(files, "hash_file", hash_file)
    monkeypatch.setattr(integrity, "_hashes", {})
    (only,) = rd.verify(store).artefacts
    assert only.names("damaged") == [first.relative_to(store).as_posix()]
    assert len(only.names("whole")) == len(only.files) - 1
    assert "cannot be read (Input/output error)" in caplog.text


@pytest.mark.parametrize("damage", ["flipped", "lost", "both"])
def test_a_store_is_repaired_to_the_same_bytes(store: Path, damage: str) -> None:
    before, shards = _bytes(store), _shards(store)
    if damage != "lost":
        flips.flip(shards[0], 60, 1)
    if damage != "flipped":
        shards[1].unlink()
    found = rd.verify(store, repair=True, teacher=flips.CountingTeacher())
    assert found.is_whole
    assert "to the byte" in found.repaired[0]
    assert _bytes(store) == before


def test_what_a_paid_teacher_was_asked_for_is_told(store: Path, caplog: pytest.LogCaptureFixture) -> None:
    class Paid(flips.CountingTeacher):
        def estimate(self, *given: object) -> dict[str, str]:
            return {}

        def spent(self) -> str:
            return "3 requests, 1.50 in all"

    caplog.set_level("INFO")
    flips.flip(_shards(store)[0], 60, 1)
    assert rd.verify(store, repair=True, teacher=Paid()).is_whole
    assert "3 requests, 1.50 in all" in caplog.text


def test_a_temporary_that_cannot_be_removed_is_not_told_as_removed(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = store / ".tmp-ffffffff-1-left"
    left.mkdir()
    os.utime(left, (0, 0))
    monkeypatch.setattr(shutil, "rmtree", refusing)
    with pytest.raises(OutputError, match="Read-only"):
        rd.verify(store, repair=True)
    assert left.is_dir()


def refusing(folder: Path, ignore_errors: bool = False) -> None:
    if not ignore_errors:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(folder))


def test_what_has_other_bytes_afterwards_is_said(store: Path) -> None:
    class Other(flips.CountingTeacher):
        def score(self, pairs: object, progress: object = None) -> object:
            return super().score(pairs, progress) + 1  # type: ignore[arg-type]

    flips.flip(_shards(store)[0], 60, 1)
    found = rd.verify(store, repair=True, teacher=Other())
    assert found.is_whole
    assert "other bytes than before" in found.repaired[0]


def test_another_teacher_does_not_repair(store: Path) -> None:
    class Other(flips.CountingTeacher):
        teacher_id = "other-1"

    flips.flip(_shards(store)[0], 60, 1)
    with pytest.raises(TeacherError, match="other-1"):
        rd.verify(store, repair=True, teacher=Other())
    with pytest.raises(ModelReferenceError, match="--teacher"):
        rd.verify(store, repair=True)


def test_what_to_score_must_be_known(store: Path) -> None:
    flips.flip(_shards(store)[0], 60, 1)
    flips.flip(store / "documents.parquet", 60, 1)
    with pytest.raises(DamagedError, match=r"documents\.parquet"):
        rd.verify(store, repair=True, teacher=flips.CountingTeacher())


def test_scores_that_came_from_elsewhere_are_imported_again(store: Path, tmp_path: Path) -> None:
    table = tmp_path / "table.trec"
    rows = rd.open(store).to_polars().sort("query_id", "score", descending=True)
    table.write_text("".join(f"{one['query_id']} Q0 {one['doc_id']} 1 {one['score']} a\n" for one in rows.to_dicts()))
    imported = tmp_path / "imported"

    def again() -> None:
        rd.import_scores(table, imported, format="trec-run", data=tmp_path / "collection", teacher_name="mine")

    again()
    before = _bytes(imported)
    (shard,) = imported.glob("scores/*/part-*")
    flips.flip(shard, 60, 1)
    with pytest.raises(StoreError, match="came from elsewhere"):
        rd.verify(imported, repair=True)
    again()
    assert _bytes(imported) == before


def test_a_model_of_a_store_is_found_by_its_name(
    tmp_path: Path, tiny_cross_encoder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    flips.kinds()["candidates"].make(tmp_path)
    store = tmp_path / "store"
    rd.score(tmp_path / "collection", tiny_cross_encoder, tmp_path / "candidates", store, unit_size=64, backend="torch")
    shard = sorted(store.glob("scores/*/part-*"))[0]
    flips.flip(shard, 60, 1)
    monkeypatch.chdir(Path(tiny_cross_encoder).parent)
    assert rd.verify(store, repair=True, teacher=tiny_cross_encoder).is_whole
    flips.flip(shard, 60, 1)
    assert rd.verify(store, repair=True, teacher=Path(tiny_cross_encoder).name).is_whole


def test_pages_of_an_unfinished_store_have_checksums(store: Path) -> None:
    (store / "manifest.json").unlink()
    (only,) = rd.verify(store).artefacts
    assert only.kind == "unfinished"
    assert only.is_whole
    shard = _shards(store)[0]
    flips.flip(shard, 200, 1)
    (only,) = rd.verify(store).artefacts
    assert only.names("damaged") == [shard.relative_to(store).as_posix()]
    with pytest.raises(DataError, match="whole Parquet file"):
        rd.score(store.parent / "collection", flips.CountingTeacher(), store.parent / "candidates", store, unit_size=64)


def test_damaged_copies_of_vectors_are_removed(tmp_path: Path, six_layers: str) -> None:
    store = flips.kinds(six_layers)["embeddings with copies"].make(tmp_path)
    (copy,) = (store / "mapped").glob("*.npy")
    flips.flip(copy, 300, 1)
    assert rd.verify(store, repair=True).repaired == (f"{copy}: removed, the next reader of the store makes it again",)
    assert not copy.is_file()


def test_a_comparison_is_known_by_its_note(tmp_path: Path) -> None:
    folder = flips.kinds()["comparison"].make(tmp_path)
    assert rd.verify(folder).is_whole
    flips.flip(folder / "results.json", 400, 1)
    assert not rd.verify(folder).is_whole
    assert integrity.noted(folder)


def test_wrong_calls_are_refused(store: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="repair"):
        rd.verify(store, teacher="pypi:something")
    with pytest.raises(DataError, match="no such folder"):
        rd.verify(tmp_path / "absent")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="nothing of ours"):
        rd.verify(tmp_path / "empty")


def test_the_command_exits_with_1_where_something_is_damaged(store: Path) -> None:
    app = build_app(["verify"])
    whole = RUNNER.invoke(app, ["verify", str(store), "--json"])
    assert whole.exit_code == 0
    assert json.loads(whole.stdout)["whole"] is True
    flips.flip(_shards(store)[0], 60, 1)
    damaged = RUNNER.invoke(app, ["verify", str(store), "--json"])
    assert damaged.exit_code == 1
    content = json.loads(damaged.stdout)["artefacts"][0]
    assert content["files"][_shards(store)[0].relative_to(store).as_posix()] == "damaged"
    assert "--repair" in content["remedy"]


class Killed(BaseException):
    """In place of a kill: nothing handles it."""


@pytest.mark.parametrize("damage", ["flipped", "lost", "both"])
def test_a_repair_that_is_killed_before_any_renaming_is_brought_to_its_end(
    store: Path, damage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also between the renaming of the shards and the manifest that tells of it."""
    whole, usual = _bytes(store), os.replace
    for at in range(100):
        first, second = _shards(store)
        if damage != "lost":
            flips.flip(second if damage == "flipped" else first, 60, 1)
        if damage != "flipped":
            second.unlink()
        left = at

        def replace(*given: object) -> None:
            nonlocal left
            if not left:
                raise Killed
            left -= 1
            usual(*given)  # type: ignore[arg-type]

        monkeypatch.setattr(os, "replace", replace)
        try:
            rd.verify(store, repair=True, teacher=flips.CountingTeacher())
        except Killed:
            monkeypatch.setattr(os, "replace", usual)
            assert rd.verify(store, repair=True, teacher=flips.CountingTeacher()).is_whole, at
        else:
            break
        finally:
            monkeypatch.setattr(os, "replace", usual)
        assert _bytes(store) == whole, at
        assert not list(store.rglob(".damaged-*")), at
    assert 5 < at < 99


def test_a_repair_that_was_killed_before_the_empty_folder_of_plans_went_leaves_none(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = Path.rmdir

    def rmdir(folder: Path) -> None:
        if folder == store / "plan":
            raise Killed
        usual(folder)

    flips.flip(_shards(store)[0], 60, 1)
    with monkeypatch.context() as patched:
        patched.setattr(Path, "rmdir", rmdir)
        with pytest.raises(Killed):
            rd.verify(store, repair=True, teacher=flips.CountingTeacher())
    assert (store / "plan").is_dir()
    assert rd.verify(store, repair=True, teacher=flips.CountingTeacher()).is_whole
    assert not (store / "plan").exists()


def test_what_a_killed_repair_put_aside_is_listed(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The damaged shard with its bytes, the lost one as an empty file; and what brings the repair to its end."""
    first, second = _shards(store)
    flips.flip(first, 60, 1)
    size = first.stat().st_size
    second.unlink()

    class Dying(flips.CountingTeacher):
        def score(self, *given: Any, **named: Any) -> Any:
            raise Killed

    with pytest.raises(Killed):
        rd.verify(store, repair=True, teacher=Dying())
    found = rd.verify(store)
    aside = {shard: shard.with_name(f".damaged-{shard.name}") for shard in (first, second)}
    assert {one.name for one in found.artefacts[0].files if one.state == "aside"} == {
        path.relative_to(store).as_posix() for path in aside.values()
    }
    assert f"{aside[first]}: put aside by a repair that was killed: a damaged shard, {size:,} bytes" in found.lines()
    assert (
        f"{aside[second]}: put aside by a repair that was killed: an empty file that stands for a lost shard"
    ) in found.lines()
    assert any(f"`rankdistill verify {store} --repair` brings that repair to its end" in one for one in found.lines())
    (row,) = found.tables()[0].rows
    assert row[found.tables()[0].header.index("put aside")] == "2"
    assert found.to_json()["artefacts"][0]["put_aside"] == {
        aside[first].relative_to(store).as_posix(): size,
        aside[second].relative_to(store).as_posix(): 0,
    }
    assert rd.verify(store, repair=True, teacher=flips.CountingTeacher()).is_whole
    after = rd.verify(store)
    assert not [one for one in after.artefacts[0].files if one.state == "aside"]
    assert not any("put aside" in line for line in after.lines())


def test_what_was_scored_again_is_said_and_what_is_lost_too(store: Path) -> None:
    """A shard whose pairs no candidate table has: nothing can score them."""
    made, shard = integrity.read_manifest(store), _shards(store)[0]
    assert made is not None
    other = shard.with_name("part-000099-0123456789abcdef.parquet")
    shutil.copy(shard, other)
    outputs = {**made.outputs, other.relative_to(store).as_posix(): files.hash_file(other)}
    dataclasses.replace(made, outputs=outputs).write(store)
    other.unlink()
    found = rd.verify(store, repair=True, teacher=flips.CountingTeacher())
    assert found.is_whole
    assert "0 pairs; other bytes than before" in found.repaired[0]
    assert other.relative_to(store).as_posix() not in integrity.read_manifest(store).outputs  # type: ignore[union-attr]
