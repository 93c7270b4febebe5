"""What goes wrong with Lucene, as a user types it: no Java, a killed one, a foreign model, weights that overflow."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest

from rankdistill import data, indexing
from rankdistill.indexing.lucene import java, jvm
from tests.cli.term_weights import term_weights
from tests.cli.verb import Run

needs_lucene = pytest.mark.skipif(find_spec("pyserini") is None, reason="pip install 'rankdistill[lucene]'")

TOPICS = {"river": 2.0, "planet": 3.0}
REMEDY = 'remedy: pip install "rankdistill[lucene]"'


@pytest.fixture
def model(tiny_bert: Path, tmp_path: Path) -> Path:
    return term_weights(tiny_bert, tmp_path / "model", TOPICS)


@pytest.fixture
def impacts(tiny_beir: Path, model: Path, tmp_path: Path) -> Path:
    indexing.build(data.load(tiny_beir), str(model), tmp_path / "impacts", factory="lucene")
    return tmp_path / "impacts"


def stand_in(folder: Path, version: str, script: str, modules: str = "java.base") -> Path:
    """A folder like that of a Java runtime, whose program is `script`."""
    (folder / "bin").mkdir(parents=True)
    (folder / "release").write_text(f'JAVA_VERSION="{version}"\nMODULES="{modules}"\n')
    (folder / "bin" / "java").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "bin" / "java").chmod(0o755)
    return folder


def without(what: str, monkeypatch: pytest.MonkeyPatch, folder: Path) -> str:
    """Take Java or Pyserini away, or put an old Java in its place; what the error has to say."""
    if what == "jar":
        monkeypatch.setattr(java, "find", lambda: None)
        monkeypatch.setattr(jvm, "find_spec", lambda name: None)
        return "expected: the library 'pyserini'"
    homes = [(stand_in(folder / "old", "17.0.15", "exit 9"), "JAVA_HOME")] if what == "old" else []
    monkeypatch.setattr(java, "_homes", lambda: homes)
    return "expected: Java 21 or newer, which Lucene needs got: " + ("Java 17 at" if what == "old" else "no Java")


@pytest.mark.parametrize("backend", ["lucene-bm25", "lucene"])
@pytest.mark.parametrize("what", ["java", "old", "jar"])
def test_without_java_or_pyserini_nothing_is_built_and_the_remedy_is_told(
    rankdistill: Run,
    tiny_beir: Path,
    model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    what: str,
    backend: str,
) -> None:
    expected = without(what, monkeypatch, tmp_path)
    words = ["--model", model] if backend == "lucene" else []
    out = tmp_path / "index"
    status, shown = rankdistill("index", "--data", tiny_beir, *words, "--backend", backend, "--out", out)
    assert status == 1
    assert expected in shown
    assert REMEDY in shown
    assert "Traceback" not in shown
    assert not (out / "manifest.json").exists()


@needs_lucene
@pytest.mark.parametrize("what", ["java", "old"])
def test_without_java_a_built_index_is_not_searched_and_the_remedy_is_told(
    rankdistill: Run, impacts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    expected = without(what, monkeypatch, tmp_path)
    status, shown = rankdistill("search", "--index", impacts, "--query", "the river")
    assert status == 1
    assert expected in shown
    assert REMEDY in shown
    assert "Traceback" not in shown


@needs_lucene
def test_a_java_that_is_no_whole_runtime_is_told_in_a_line(impacts: Path, tmp_path: Path) -> None:
    """It is asked for in a process of its own: a Java machine starts once in a process."""
    hollow = stand_in(tmp_path / "hollow", "99", "exit 9")
    words = ["search", "--index", str(impacts), "--query", "the river"]
    told = subprocess.run(
        [sys.executable, "-m", "rankdistill.cli.main", *words],
        env={**os.environ, "JAVA_HOME": str(hollow)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 1
    assert "MissingDependencyError" in told.stderr
    assert "libjvm.so" in told.stderr
    assert "Traceback" not in told.stderr


@needs_lucene
def test_a_java_that_is_killed_loses_nothing_and_the_same_command_goes_on(
    rankdistill: Run, tiny_beir: Path, model: Path, impacts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, real = tmp_path / "index", java.find()
    calls = tmp_path / "calls"
    dies_second = f'echo >> {calls}; [ $(wc -l < {calls}) -lt 2 ] || kill -9 $$; exec {real.program} "$@"'
    mortal = stand_in(tmp_path / "mortal", f"{real.version}", dies_second, " ".join(real.modules))
    line = ["index", "--data", tiny_beir, "--model", model, "--backend", "lucene", "--shard-size", 20, "--out", out]
    with monkeypatch.context() as patched:
        patched.setattr(java, "_homes", lambda: [(mortal, "JAVA_HOME")])
        status, shown = rankdistill(*line)
    assert status == 1
    assert "OutputError" in shown
    assert "killed by signal 9" in shown
    assert "remedy: give it more memory" in shown
    assert "Traceback" not in shown
    assert sorted(path.parent.name for path in out.rglob("manifest.json")) == ["shard-00000"]
    assert not list((out / "shard-00001").iterdir())
    finished = (out / "shard-00000" / "manifest.json").stat().st_mtime_ns
    status, shown = rankdistill(*line)
    assert status == 0, shown
    assert (out / "shard-00000" / "manifest.json").stat().st_mtime_ns == finished
    whole, mended = indexing.load(impacts), indexing.load(out)
    assert mended.ids == whole.ids
    encoder = whole.open_query_encoder()
    assert mended.search_texts(["river planet"], 40, encoder) == whole.search_texts(["river planet"], 40, encoder)


@needs_lucene
def test_a_whole_run_that_is_killed_while_java_writes_leaves_nothing_behind(
    rankdistill: Run, tiny_beir: Path, tmp_path: Path
) -> None:
    begins = 'while [ "$1" != "-index" ]; do shift; done; mkdir -p "$2"; touch "$2/segments_1"; exec sleep 60'
    slow = stand_in(tmp_path / "slow", "99", begins)
    line = ["index", "--data", str(tiny_beir), "--backend", "lucene-bm25", "--out", str(tmp_path / "index")]
    run = subprocess.Popen(
        [sys.executable, "-m", "rankdistill.cli.main", *line],
        env={**os.environ, "JAVA_HOME": str(slow)},
        start_new_session=True,
    )
    try:
        while not (left := list(tmp_path.glob("index/**/segments_1"))):
            assert run.poll() is None
            time.sleep(0.05)
    finally:
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()
    assert left[0].is_file()
    status, shown = rankdistill(*line)
    assert status == 0, shown
    assert not left[0].parent.exists()
    status, shown = rankdistill("search", "--index", tmp_path / "index", "--query", "river", "--k", 1)
    assert (status, "river" in shown) == (0, True)


@needs_lucene
def test_a_model_with_other_weights_or_another_vocabulary_may_not_search(
    rankdistill: Run, tiny_beir: Path, tiny_bert: Path, tiny_encoder: str, impacts: Path, tmp_path: Path
) -> None:
    other = term_weights(tiny_bert, tmp_path / "other", {"river": 9.0})
    larger = term_weights(tiny_bert, tmp_path / "larger", TOPICS, more_tokens=["quay"])
    renamed = tmp_path / "renamed"
    shutil.copytree(tmp_path / "model", renamed)
    for name in ("tokenizer.json", "vocab.txt"):
        for path in renamed.rglob(name):
            path.write_text(path.read_text().replace("violin", "guitar"))
    searched = ["search", "--index", impacts, "--query", "the river"]
    evaluated = ["evaluate", "--index", impacts, "--data", tiny_beir, "--out", tmp_path / "out"]
    for line in (searched, evaluated):
        for model, said in ((other, "trained together"), (larger, "another term"), (renamed, "another term")):
            status, shown = rankdistill(*line, "--model", model)
            assert (status, "SpaceMismatchError" in shown, "Traceback" in shown) == (1, True, False), shown
            assert said in shown
    status, shown = rankdistill(*searched, "--model", tiny_encoder)
    assert (status, "a sparse encoder" in shown, "Traceback" in shown) == (1, True, False)
    assert not (tmp_path / "out" / "results.json").exists()


@needs_lucene
def test_weights_of_documents_that_overflow_are_refused(
    rankdistill: Run, tiny_beir: Path, tiny_splade: str, tmp_path: Path
) -> None:
    line = ["--data", tiny_beir, "--model", tiny_splade, "--backend", "lucene", "--out", tmp_path / "index"]
    status, shown = rankdistill("index", *line, "--parameter", "factor=1e9")
    assert status == 1
    assert "smaller quantisation factor" in shown
    assert not (tmp_path / "index" / "manifest.json").exists()
    assert rankdistill("index", *line, "--parameter", "threads=2")[0] == 1


@needs_lucene
@pytest.mark.parametrize(("weight", "said"), [(660.0, "weights from 0 to 655.35"), (500.0, "scores below 16,777,216")])
def test_queries_that_overflow_weights_or_scores_are_refused(
    rankdistill: Run, tiny_beir: Path, tiny_bert: Path, tmp_path: Path, weight: float, said: str
) -> None:
    model = term_weights(tiny_bert, tmp_path / "model", {"river": 6.0}, queries={"river": weight, "planet": 1.0})
    out = tmp_path / "index"
    assert rankdistill("index", "--data", tiny_beir, "--model", model, "--backend", "lucene", "--out", out)[0] == 0
    for words in (["search", "--query", "the river"], ["evaluate", "--data", tiny_beir, "--out", tmp_path / "out"]):
        status, shown = rankdistill(*words, "--index", out)
        assert status == 1
        assert said in shown
        assert "smaller quantisation factor than 100" in shown
        assert "Traceback" not in shown
    assert rankdistill("search", "--query", "the planet", "--index", out)[0] == 0
