"""Outputs that cannot be written, disks that fill up, others' files and temporaries: told, and nothing is lost."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import datasets
import pytest
import yaml

import rankdistill as rd
from benchmarks.store import tiny
from rankdistill import files
from rankdistill.inference.backends import registry
from rankdistill.serving import process
from tests.cli.verb import Run
from tests.conftest import write_tiny_beir
from tests.conversations import write_tiny_sessions
from tests.serving.process.here import Visit, visited

pytestmark = pytest.mark.usefixtures("torch_alone", "caches")

Words = list[object]

NOBODY = 65_534
"""A user who owns nothing."""

WRITERS = ("fetch", "queries", "rewrite", "init", "verdict")
"""Verbs that are done in a moment; the others are asked whether they can write before they begin."""

LONG = ("distill", "tune")


@pytest.fixture
def caches(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is kept for other calls lies where everybody may write, and not in this user's caches."""
    for name in ("datasets", "rankdistill"):
        (shared / "caches" / name).mkdir(parents=True, exist_ok=True)
        (shared / "caches" / name).chmod(0o777)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", shared / "caches" / "datasets")
    monkeypatch.setenv("RANKDISTILL_CACHE", str(shared / "caches" / "rankdistill"))


@pytest.fixture(scope="module")
def shared(tiny_encoder: str) -> Iterator[Path]:
    """What the verbs read, in a folder that everybody may read."""
    folder = Path(tempfile.mkdtemp()).resolve()
    folder.chmod(0o755)
    shutil.copytree(tiny_encoder, folder / "encoder")
    data = write_tiny_beir(folder / "data")
    tiny.hub(folder / "hub", data)
    write_tiny_sessions(write_tiny_beir(folder / "sessions"))
    rows = [json.loads(line) for line in (folder / "sessions" / "queries.jsonl").read_text().splitlines()]
    rewrites = "".join(json.dumps({"turn_id": row["_id"], "rewrite": f"the {row['text']}"}) + "\n" for row in rows)
    (folder / "rewrites.jsonl").write_text(rewrites)
    encoder = str(folder / "encoder")
    rd.evaluate(data, encoder, folder / "mine", backend="torch")
    rd.evaluate(data, "bm25", folder / "others")
    settings: dict[str, Any] = {
        "name": "tiny",
        "out": str(folder / "run"),
        "data": {"source": str(data)},
        "mine": {"depth": 12},
        "teacher": {"model": encoder},
        "student": {"model": encoder},
        "train": {"steps": 2, "check": "off"},
    }
    (folder / "recipe.yaml").write_text(yaml.safe_dump(settings))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def words_of(shared: Path) -> Callable[[str, Path], Words]:
    """(verb, output) -> the words of its command."""
    encoder = shared / "encoder"

    def words(verb: str, out: Path) -> Words:
        found: Mapping[str, Words] = {
            "fetch": ["data", "fetch", f"hf:{shared / 'hub'}", "--out", out],
            "queries": ["queries", "--data", shared / "data", "--out", out],
            "rewrite": [
                *("rewrite", "--sessions", shared / "sessions", "--rewriter", shared / "rewrites.jsonl"),
                *("--name", "file", "--out", out),
            ],
            "init": ["init", "--data", shared / "data", "--teacher", encoder, "--out", out / "recipe.yaml"],
            "verdict": ["verdict", shared / "mine", "--bm25", shared / "others", "--out", out],
            "distill": ["distill", "--documents", shared / "data", "--teacher", encoder, "--out", out],
            "tune": ["tune", shared / "recipe.yaml", "--trials", 1, "--out", out],
        }
        return found[verb]

    return words


ENDS = dict.fromkeys(WRITERS, 0) | {"verdict": 2}
"""Verb -> its status where all is well; so few queries refuse the student."""


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below, but locks."""
    found = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != files.LOCK_NAME)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


@pytest.mark.parametrize("verb", [*WRITERS, *LONG])
def test_a_read_only_disk_is_told(
    rankdistill: Run, words_of: Callable[[str, Path], Words], tmpfs: Callable[[str], Path], verb: str
) -> None:
    disk = tmpfs("size=1m,ro")
    status, said = rankdistill(*words_of(verb, disk / "out"))
    assert status == 1, said
    assert "OutputError" in said
    assert "Read-only file system" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("verb", WRITERS)
def test_after_a_full_disk_the_same_command_makes_what_it_makes_elsewhere(
    rankdistill: Run, words_of: Callable[[str, Path], Words], tmpfs: Callable[[str], Path], tmp_path: Path, verb: str
) -> None:
    disk = tmpfs("size=4k")
    (disk / "full").write_bytes(b"." * 4096)
    out = disk / "out"
    status, said = rankdistill(*words_of(verb, out))
    assert status == 1, said
    assert "OutputError" in said
    assert "No space left" in said
    assert "Traceback" not in said
    assert not list(disk.rglob(f"{files.TEMPORARY_PREFIX}*"))
    assert not list(disk.rglob("manifest.json"))
    subprocess.run(["mount", "-o", "remount,size=8m", str(disk)], check=True)
    assert rankdistill(*words_of(verb, out))[0] == ENDS[verb]
    found = contents(out)
    shutil.rmtree(out)
    assert rankdistill(*words_of(verb, out))[0] == ENDS[verb]
    assert found == contents(out)


@contextmanager
def as_nobody() -> Iterator[None]:
    """Within the block this process may do what a user may who owns nothing."""
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root, to become another user")
@pytest.mark.parametrize("verb", [*WRITERS, *LONG])
def test_another_users_folder_is_told_and_left(
    rankdistill: Run, words_of: Callable[[str, Path], Words], shared: Path, verb: str
) -> None:
    out = shared / f"others-{verb}"
    words = words_of(verb, out)
    out.mkdir(mode=0o755)
    held = {} if verb == "distill" else {"notes.txt": b"not yours"}  # it refuses such a folder anyway
    for name, content in held.items():
        (out / name).write_bytes(content)
    with as_nobody():
        status, said = rankdistill(*words)
    assert status == 1, said
    assert "Permission denied" in said
    assert "OutputError" in said
    assert "Traceback" not in said
    assert contents(out) == held


@pytest.mark.parametrize("verb", ["fetch", "queries", "rewrite", "verdict"])
def test_a_temporary_of_another_host_is_kept_for_a_day(
    rankdistill: Run, words_of: Callable[[str, Path], Words], tmp_path: Path, verb: str
) -> None:
    """Its writer cannot be asked for; it is taken for nothing of the output."""
    out = tmp_path / "out"
    out.mkdir()
    living, dead = (out / f"{files.TEMPORARY_PREFIX}0badc0de-{number}-corpus.jsonl" for number in (77, 78))
    for path in (living, dead):
        path.write_text("half a line")
    long_ago = time.time() - files.DEAD_AFTER - 60
    os.utime(dead, (long_ago, long_ago))
    status, said = rankdistill(*words_of(verb, out))
    assert status == ENDS[verb], said
    assert living.read_text() == "half a line"
    assert not dead.exists()
    manifest = out / "manifest.json"
    assert not manifest.exists() or "0badc0de" not in manifest.read_text()


@pytest.fixture(scope="module")
def index(shared: Path) -> Path:
    """Of the collection, by the encoder."""
    rd.index(shared / "data", shared / "encoder", shared / "index", backend="torch")
    return shared / "index"


@pytest.mark.parametrize(
    ("engine", "error"), [("qdrant", "OutputError"), pytest.param("lancedb", "RemoteError", marks=pytest.mark.slow)]
)
@pytest.mark.parametrize(("options", "said"), [("size=1m,ro", "Read-only file system"), ("size=4k", "No space left")])
def test_an_engine_without_room_is_told(
    rankdistill: Run, index: Path, tmpfs: Callable[[str], Path], engine: str, error: str, options: str, said: str
) -> None:
    """Also the one whose core ends the process once it maps what the disk has no room for."""
    disk = tmpfs(options)
    if "ro" not in options:
        (disk / "full").write_bytes(b"." * 4096)
    place = ["--to", engine, "--url", disk / "engine", "--collection", "tiny"]
    status, shown = rankdistill("push", *place, "--index", index)
    assert status == 1, shown
    assert error in shown
    assert said in shown
    assert "Traceback" not in shown


@pytest.mark.parametrize(("options", "said"), [("size=1m,ro", "Read-only file system"), ("size=4k", "No space left")])
def test_a_push_that_cannot_note_how_far_it_is_is_told_and_goes_on_later(
    rankdistill: Run,
    index: Path,
    tmpfs: Callable[[str], Path],
    tmp_path: Path,
    options: str,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    disk = tmpfs(options)
    if "ro" not in options:
        (disk / "full").write_bytes(b"." * 4096)
    usual = os.environ["RANKDISTILL_CACHE"]
    words = ["push", "--to", "lancedb", "--url", tmp_path / "engine", "--collection", "tiny", "--index", index]
    monkeypatch.setenv("RANKDISTILL_CACHE", str(disk / "cache"))
    status, shown = rankdistill(*words)
    assert status == 1, shown
    assert "OutputError" in shown
    assert said in shown
    monkeypatch.setenv("RANKDISTILL_CACHE", usual)
    status, shown = rankdistill(*words, "--json")
    assert status == 0
    assert '"documents": 40' in shown


@pytest.mark.parametrize("options", [pytest.param("size=1m,ro", marks=pytest.mark.slow), "size=4k"])
def test_a_server_answers_without_a_cache_to_write_to(
    index: Path,
    shared: Path,
    tmpfs: Callable[[str], Path],
    options: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    disk = tmpfs(options)
    if "ro" not in options:
        (disk / "full").write_bytes(b"." * 4096)
    monkeypatch.setattr(process, "STAY_SECONDS", 0.02)
    monkeypatch.setenv("RANKDISTILL_CACHE", str(disk / "cache"))
    monkeypatch.setattr(registry, "FASTEST_FIRST", ("openvino", "onnx", "torch"))
    answers: list[int] = []

    def visitor(visit: Visit) -> None:
        answers.append(visit.embed().status)
        answers.append(visit.ask("/search", {"query": "the deep river"}).status)

    visited(visitor, shared / "encoder", index, backend="auto")
    assert answers == [200, 200]
    assert "the exported model is not kept for the next time" in caplog.text
