"""The Java process that indexes: what happens when it is killed, runs out of memory, or loses documents."""

from __future__ import annotations

from pathlib import Path

import pytest

from rankdistill.errors import OutputError
from rankdistill.indexing.lucene.collection import Collection
from rankdistill.indexing.lucene.java import Java

COUNTS = "echo '0 INFO [main] x - indexed: 1,000'; echo '0 INFO [main] x - empty: 1'"


def _collection(home: Path, script: str, documents: int = 1001) -> Collection:
    program = home / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    made = Collection(Java(home, 21, frozenset(), "test"), Path("anserini.jar"))
    made.write({"id": str(number), "contents": "text"} for number in range(documents))
    return made


WRITE = 'while [ "$1" != "-index" ]; do shift; done; mkdir -p "$2"; touch "$2/segments_1" "$2/write.lock"'


def test_what_java_wrote_replaces_what_was_there(tmp_path: Path) -> None:
    made = _collection(tmp_path / "java", f"{COUNTS}; {WRITE}")
    (tmp_path / "lucene").mkdir()
    (tmp_path / "lucene" / "old").touch()
    killed = tmp_path / ".tmp-host-1-lucene"
    killed.mkdir()
    (killed / "segments_1").touch()
    assert made.index("Main", [], tmp_path) == tmp_path / "lucene"
    assert [path.name for path in (tmp_path / "lucene").iterdir()] == ["segments_1"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["java", "lucene"]


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("kill -9 $$", "killed by signal 9"),
        ("echo 'Exception: java.lang.OutOfMemoryError: Java heap space'; exit 1", "OutOfMemoryError: Java heap"),
        ("echo 'java.io.IOException: No space left on device'; exit 1", "No space left"),
        (COUNTS, "indexed 1,000, empty 1"),
        ("echo 'no counts'", "no counts"),
        ("exit 3", "said nothing"),
    ],
)
def test_an_unfinished_index_is_not_kept(tmp_path: Path, script: str, message: str) -> None:
    made = _collection(tmp_path / "java", f"{WRITE}; {script}", documents=2000)
    with pytest.raises(OutputError, match=message) as error:
        made.index("Main", [], tmp_path)
    assert ("memory" in error.value.remedy) == ("OutOfMemory" in message or "killed" in message)
    assert [path.name for path in tmp_path.iterdir()] == ["java"]


def test_the_documents_are_removed_with_the_collection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    made = _collection(tmp_path / "java", "exit 0")
    assert len(list((tmp_path / "temporary").iterdir())) == 1
    del made
    assert not list((tmp_path / "temporary").iterdir())
