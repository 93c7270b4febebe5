"""Mistakes and mishaps, each through the command line: a clear message, exit status 1, and nothing lost."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from rankdistill import files
from rankdistill.cli import main as cli
from tests.cli.verb import Run
from tests.forked import COMMAND, Forked


def append(path: Path, line: str) -> None:
    with path.open("a") as stream:
        stream.write(line + "\n")


def spoil(root: Path, how: str) -> None:
    """Damage the collection in the named way."""
    corpus, queries, qrels = root / "corpus.jsonl", root / "queries.jsonl", root / "qrels" / "train.tsv"
    if how == "missing folder":
        shutil.rmtree(root)
    elif how == "empty qrels":
        qrels.write_text("query-id\tcorpus-id\tscore\n")
    elif how == "unknown split":
        qrels.unlink()
    elif how == "unknown query":
        append(qrels, "no-such-query\td00\t1")
    elif how == "duplicate id":
        append(corpus, json.dumps({"_id": "d00", "title": "", "text": "again"}))
    elif how == "broken JSON":
        append(queries, '{"_id": "q99", "text": ')
    elif how == "wrong header":
        qrels.write_text(qrels.read_text().replace("query-id", "qid", 1))


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("missing folder", "tiny"),
        ("empty qrels", "train.tsv"),
        ("unknown split", "dev, test"),
        ("unknown query", "no-such-query"),
        ("duplicate id", "corpus.jsonl:41"),
        ("broken JSON", "queries.jsonl:25"),
        ("wrong header", "train.tsv:1"),
    ],
)
def test_bad_data_is_named_with_its_place(
    rankdistill: Run, tiny_beir: Path, tmp_path: Path, how: str, said: str
) -> None:
    spoil(tiny_beir, how)
    status, text = rankdistill("mine", "--data", tiny_beir, "--out", tmp_path / "out")
    assert status == 1
    assert "DataError" in text
    assert said in text
    assert "Traceback" not in text
    assert not (tmp_path / "out" / "manifest.json").exists()


def test_a_teacher_that_gives_nan_stores_nothing(
    rankdistill: Run, tiny_beir: Path, tiny_cross_encoder: str, mined: Path, tmp_path: Path
) -> None:
    from safetensors.torch import load_file, save_file

    teacher = tmp_path / "nan-teacher"
    shutil.copytree(tiny_cross_encoder, teacher)
    weights = load_file(teacher / "model.safetensors")
    save_file(
        {name: value * float("nan") if "classifier" in name else value for name, value in weights.items()},
        teacher / "model.safetensors",
        metadata={"format": "pt"},
    )
    store = tmp_path / "store"
    status, text = rankdistill(
        "score", "--data", tiny_beir, "--teacher", teacher, "--candidates", mined, "--out", store, "--backend", "torch"
    )
    assert status == 1
    assert "TeacherError" in text
    assert "NaN" in text
    assert not list(store.rglob("part-*"))


def test_a_model_of_another_dimension_than_the_index_is_refused(
    rankdistill: Run, tiny_beir: Path, tiny_encoder: str, six_layers: str, tmp_path: Path
) -> None:
    index = tmp_path / "index"
    assert rankdistill("index", "--data", tiny_beir, "--model", tiny_encoder, "--out", index)[0] == 0
    status, text = rankdistill("search", "--index", index, "--query", "the old river", "--model", six_layers)
    assert status == 1
    assert "SpaceMismatchError" in text
    assert "dimension" in text


def test_a_full_disk_loses_no_finished_shard(
    rankdistill: Run,
    tiny_beir: Path,
    tiny_cross_encoder: str,
    mined: Path,
    tmpfs: Callable[[str], Path],
) -> None:
    disk = tmpfs("size=96k")
    words = ["score", "--data", tiny_beir, "--teacher", tiny_cross_encoder, "--candidates", mined]
    words += ["--out", disk / "store", "--unit-size", 4, "--backend", "torch"]
    status, text = rankdistill(*words)
    assert status == 1
    assert "OutputError" in text
    assert "No space left" in text
    kept = {path: path.read_bytes() for path in (disk / "store").rglob("part-*")}
    assert not list(disk.rglob(f"{files.TEMPORARY_PREFIX}*"))
    subprocess.run(["mount", "-o", "remount,size=8m", str(disk)], check=True)
    status, text = rankdistill(*words)
    assert status == 0
    assert all(path.read_bytes() == data for path, data in kept.items())


def test_a_read_only_output_is_refused(rankdistill: Run, tiny_beir: Path, tmpfs: Callable[[str], Path]) -> None:
    disk = tmpfs("size=1m,ro")
    status, text = rankdistill("mine", "--data", tiny_beir, "--out", disk / "candidates")
    assert status == 1
    assert "OutputError" in text
    assert "Read-only file system" in text


def test_a_second_process_on_the_same_store_is_refused(
    rankdistill: Run, tiny_beir: Path, tiny_cross_encoder: str, mined: Path, tmp_path: Path
) -> None:
    store = tmp_path / "store"
    code = "import sys; from pathlib import Path; from rankdistill import files\n"
    code += "with files.exclusive(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(store)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        words = ["score", "--data", tiny_beir, "--teacher", tiny_cross_encoder, "--candidates", mined, "--out", store]
        status, text = rankdistill(*words, "--lock-wait", 0.2)
        holder.kill()
    assert status == 1
    assert "LockedError" in text


@pytest.mark.parametrize(("sent", "expected"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_keeps_what_is_finished_and_the_same_command_goes_on(
    sent: signal.Signals,
    expected: int,
    rankdistill: Run,
    tiny_beir: Path,
    tiny_cross_encoder: str,
    mined: Path,
    tmp_path: Path,
) -> None:
    store = tmp_path / "store"
    words = ["score", "--data", tiny_beir, "--teacher", tiny_cross_encoder, "--candidates", mined]
    words = [str(word) for word in [*words, "--out", store, "--unit-size", 1, "--backend", "torch"]]
    with Forked(COMMAND, *words) as process:
        deadline = time.monotonic() + 120
        while not list(store.rglob("part-*")) and process.runs and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send(sent)
        status, errors = process.ended(), process.errors
    assert status == expected, errors
    assert "interrupted: what was finished is kept" in " ".join(errors.split())
    assert f"--out {store} --unit-size 1" in errors.splitlines()[-1]
    assert "Traceback" not in errors
    assert list(store.rglob("part-*"))
    assert not (store / "manifest.json").exists()
    assert rankdistill("status", store) == (0, " ".join(_interrupted_status(store).split()))
    status, text = rankdistill(*words)
    assert status == 0
    assert "have a score already" in text or "reused" in text
    assert (store / "manifest.json").is_file()


def _interrupted_status(store: Path) -> str:
    from rankdistill.stores.status import describe

    lines = list(describe(store))
    assert "interrupted" in lines[0]
    assert "pairs to score" in lines[-1]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["evaluate", "--no-such-flag"], 2, "no-such-flag"),
        (["no-such-verb"], 2, "no-such-verb"),
        (["run", "absent.yaml"], 1, "absent.yaml"),
        (["run"], 2, "recipe"),
        (["status", "absent.yaml"], 1, "absent.yaml"),
        (["evaluate", "--data", "absent", "--model", "bm25", "--out", "out"], 1, "absent"),
        (["index", "--data", "absent", "--max-length", "0", "--out", "out"], 2, "max-length"),
        (["doctor"], 0, "torch"),
    ],
)
def test_wrong_words_and_paths_are_explained(rankdistill: Run, words: list[str], status: int, said: str) -> None:
    found, text = rankdistill(*words)
    assert found == status
    assert said in text
    assert "Traceback" not in text


@pytest.mark.parametrize("verb", cli.VERBS)
def test_every_verb_explains_itself(rankdistill: Run, verb: str) -> None:
    status, text = rankdistill(verb, "--help")
    assert status == 0
    assert f"rankdistill {verb}" in text
