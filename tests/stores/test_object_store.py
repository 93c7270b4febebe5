"""Stores at s3://, against a local S3 server: the bytes of a local store, resumed, locked, read; errors explained."""

from __future__ import annotations

import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl
import pytest

from rankdistill import files, locations, tables
from rankdistill.errors import DataError, LockedError, RemoteError, StaleOutputError, StoreError
from rankdistill.locations import location
from rankdistill.stores.reader import ScoreStore
from rankdistill.stores.shares import Share
from rankdistill.stores.status import describe
from rankdistill.stores.writer import ScoreWriter
from tests import s3
from tests.forked import Forked
from tests.stores.conftest import DOCUMENTS, QUERIES, HashTeacher
from tests.stores.unclocked import unclocked


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """The URL of an S3 server."""
    with s3.serving() as url:
        yield url


@pytest.fixture(autouse=True)
def bucket(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of an empty bucket, with credentials and endpoint in the environment."""
    with s3.chosen(endpoint, monkeypatch):
        yield f"s3://{s3.BUCKET}"


@pytest.fixture
def store(bucket: str) -> Path:
    """A prefix without anything in it."""
    return location(f"{bucket}/a/store")


@pytest.fixture
def write(candidates: Path) -> Callable[..., ScoreWriter]:
    """Makes a writer into a store with shards of 64 pairs, or of `unit`: each costs some forty requests."""

    def make(
        root: Path, teacher: HashTeacher, lock_wait: float = 0.0, name: str | None = None, unit: int = 64
    ) -> ScoreWriter:
        return ScoreWriter(
            root,
            queries=QUERIES,
            documents=DOCUMENTS,
            candidates=candidates,
            teacher=teacher,
            dataset_fingerprint="f" * 64,
            unit_size=unit,
            lock_wait=lock_wait,
            name=name,
        )

    return make


Write = Callable[..., ScoreWriter]


def contents(root: Path) -> dict[str, bytes]:
    found = locations.all_files(root)
    return {path.relative_to(root).as_posix(): unclocked(path) for path in found if path.name != files.LOCK_NAME}


def test_a_store_has_the_same_bytes_in_a_folder_and_in_a_bucket(write: Write, store: Path, tmp_path: Path) -> None:
    local = tmp_path / "store"
    for root in (store, local):
        assert write(root, HashTeacher()).plan().missing == 300
        assert write(root, HashTeacher()).run().scored == 300
        again = HashTeacher()
        assert write(root, again).run().reused == 300
        assert again.seen == []
    assert contents(store) == contents(local)
    assert locations.all_files(store) == [store / name for name in sorted(contents(store))]


def test_names_are_kept_changed_and_refused_as_in_a_folder(write: Write, store: Path) -> None:
    write(store, HashTeacher("one"), name="mine", unit=300).run()
    with pytest.raises(StaleOutputError, match="'mine', the name of one-0"):
        write(store, HashTeacher("two"), name="mine", unit=300).run()
    write(store, HashTeacher("two"), unit=300).run()
    assert write(store, HashTeacher("one"), name="ours", unit=300).run().renamed == "mine"
    found = ScoreStore(str(store))
    assert found.names == {"one-0": "ours", "two-0": "two"}
    assert (found.teacher("our"), found.count("our")) == ("one-0", 300)


def test_an_interrupted_run_goes_on(write: Write, store: Path, tmp_path: Path) -> None:
    write(tmp_path / "whole", HashTeacher()).run()
    with pytest.raises(KeyboardInterrupt):
        write(store, HashTeacher(fail_after=128)).run()
    lines = list(describe(store))
    assert "interrupted" in lines[0]
    assert lines[-1] == "  hash (hash-0): 128 scores in 2 shards, 172 pairs to score"
    with pytest.raises(DataError, match="no manifest"):
        ScoreStore(store)
    resumed = HashTeacher()
    write(store, resumed).run()
    assert len(resumed.seen) == 300 - 128
    assert contents(store) == contents(tmp_path / "whole")
    assert "finished" in next(describe(store))


KILLED = """
import sys, time
from pathlib import Path
from rankdistill.locations import location
from rankdistill.stores.writer import ScoreWriter
from tests import s3
from tests.forked import Forked
from tests.stores.conftest import DOCUMENTS, QUERIES, HashTeacher

class Slow(HashTeacher):
    def score(self, pairs, progress=None):
        time.sleep(0.05)
        return super().score(pairs, progress)

ScoreWriter(location(sys.argv[1]), queries=QUERIES, documents=DOCUMENTS, candidates=Path(sys.argv[2]), teacher=Slow(),
            dataset_fingerprint="f" * 64, unit_size=64).run()
"""


def test_a_killed_writer_leaves_whole_shards_and_a_lock_that_the_next_one_replaces(
    write: Write, store: Path, candidates: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Forked(KILLED, store, candidates) as process:
        deadline = time.monotonic() + 60
        while not locations.listing(store / "scores" / "hash-0", "part-*") and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send(signal.SIGKILL)
        assert process.ended() == -signal.SIGKILL
    left = [path for path in locations.all_files(store) if path.name == files.LOCK_NAME]
    assert left
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(LockedError):  # on another machine nobody can know that the process is dead
        write(store, HashTeacher()).run()
    monkeypatch.setattr(tempfile, "tempdir", None)
    assert write(store, HashTeacher()).run().scored > 0
    write(tmp_path / "whole", HashTeacher()).run()
    assert contents(store) == contents(tmp_path / "whole")


def test_writers_at_the_same_time_make_the_same_store(write: Write, store: Path, tmp_path: Path) -> None:
    teachers = [HashTeacher() for _ in range(3)]

    def score(number: int) -> int:
        return write(store, teachers[number - 1], lock_wait=60.0).run(share=Share(number, 3)).scored

    with ThreadPoolExecutor(3) as pool:
        assert sum(pool.map(score, (1, 2, 3))) == 300
    assert sum(len(teacher.seen) for teacher in teachers) == 300
    write(tmp_path / "whole", HashTeacher()).run()
    assert contents(store) == contents(tmp_path / "whole")


def test_reading_gives_what_a_local_store_gives(write: Write, store: Path, tmp_path: Path) -> None:
    for root in (store, tmp_path / "store"):
        write(root, HashTeacher("one")).run()
        write(root, HashTeacher("two")).run()
    remote, local = ScoreStore(str(store)), ScoreStore(tmp_path / "store")
    assert remote.identity == local.identity
    assert remote.teacher_ids == ["one-0", "two-0"]
    assert remote.scores("one-0").equals(local.scores("one-0"))
    assert remote.count("two") == 300
    assert remote.candidates().equals(local.candidates())
    assert remote.query_texts() == local.query_texts()
    assert remote.document_texts() == local.document_texts()
    assert remote.fingerprint("one-0") == local.fingerprint("one-0")


def test_polars_asks_no_object_store_itself(write: Write, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its client reads the environment ten times a second for ever, beside trainings that write it."""
    write(store, HashTeacher()).run()
    read, scan = list[Path](), pl.scan_parquet
    monkeypatch.setattr(pl, "scan_parquet", lambda sources, **given: scan(read.extend(sources) or sources, **given))
    assert ScoreStore(store).scores("hash-0").height == 300
    assert read
    assert all(path.is_file() for path in read)
    first = [*read]
    read.clear()
    assert ScoreStore(store).scores("hash-0").height == 300
    assert read == first, "copied once"
    shard = locations.listing(store / "scores" / "hash-0", "part-*")[0]
    whole = shard.read_bytes()
    shard.write_bytes(whole[:60] + bytes([whole[60] ^ 1]) + whole[61:])
    with pytest.raises(DataError, match=f"a whole Parquet file at .*{shard.name}"):
        ScoreStore(store).scan("hash-0").collect()


def test_a_store_that_goes_away_while_it_is_read_is_an_error(
    write: Write, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(store, HashTeacher()).run()
    found = ScoreStore(store)
    tables._copies.cache_clear()

    def nothing_there(*words: object, **given: object) -> None:
        raise gone()

    monkeypatch.setattr(locations.file_system(store), "get_file", nothing_there)
    with pytest.raises(RemoteError, match="the object store to answer"):
        found.scores("hash-0")


def gone() -> Exception:
    """What s3fs's client raises where nothing answers any more."""
    from botocore.exceptions import EndpointConnectionError

    return EndpointConnectionError(endpoint_url="http://127.0.0.1:9")


def test_credentials_may_come_from_a_profile(
    write: Write, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "credentials").write_text("[mine]\naws_access_key_id = key\naws_secret_access_key = secret\n")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_PROFILE", "mine")
    write(location(f"{bucket}/store"), HashTeacher(), unit=300).run()
    assert ScoreStore(f"{bucket}/store").scores().height == 300


def test_a_lost_shard_is_noticed(write: Write, store: Path) -> None:
    write(store, HashTeacher()).run()
    locations.listing(store / "scores" / "hash-0", "part-*")[2].unlink()
    with pytest.raises(StoreError, match="5 shards"):
        ScoreStore(store).scores()
    assert write(store, HashTeacher()).run().scored == 64


def test_a_missing_bucket_is_named() -> None:
    with pytest.raises(RemoteError, match="no-such-bucket") as caught:
        location("s3://no-such-bucket/store")
    assert "create the bucket" in caught.value.remedy


def test_an_endpoint_that_does_not_answer_is_named(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(RemoteError, match=r"127\.0\.0\.1:9") as caught:
        location(f"{bucket}/store")
    assert "AWS_ENDPOINT_URL" in caught.value.remedy


def test_an_endpoint_that_goes_away_in_between_is_an_error_and_no_empty_store(
    write: Write, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import s3fs

    write(store, HashTeacher()).run()
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    s3fs.S3FileSystem.clear_instance_cache()
    path = type(store)(str(store))
    for work in (
        lambda: ScoreStore(path),
        lambda: write(path, HashTeacher()).plan(),
        lambda: write(path, HashTeacher()).run(),
        lambda: list(describe(path)),
        lambda: files.write_text(path / "text", "text"),
    ):
        with pytest.raises(RemoteError):
            work()


def test_absent_and_refused_credentials_are_explained(
    endpoint: str, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import s3fs

    s3.tell(endpoint, "reset-auth", b"0")
    try:
        with pytest.raises(RemoteError, match="AWS_ACCESS_KEY_ID"):
            location(f"{bucket}/store")
    finally:
        s3.tell(endpoint, "reset-auth", b"inf")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, os.devnull)
    s3fs.S3FileSystem.clear_instance_cache()
    with pytest.raises(RemoteError, match="credentials"):
        location(f"{bucket}/store")
