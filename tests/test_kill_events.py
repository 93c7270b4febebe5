"""A command that is killed right before any change to its output ends, run again, with the bytes of one that was not.

benchmarks/store/kill_events.py does this for every verb and every change.
"""

from __future__ import annotations

import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import datasets
import pytest

from benchmarks.store import tiny
from benchmarks.store.killing_events import PROGRAM, contents
from rankdistill.cli import main as cli
from tests.forked import Forked

Words = Callable[[Path, Path], list[object]]

CASES: dict[str, Words] = {
    "mine": lambda data, out: ["mine", "--data", data, "--depth", 5, "--out", out],
    "convert": lambda data, out: ["data", "convert", "--input", data / "corpus.jsonl", "--out", out],
    "fetch": lambda data, out: ["data", "fetch", f"hf:{hub_of(data)}", "--out", out],
    "evaluate": lambda data, out: ["evaluate", "--data", data, "--split", "test", "--model", "bm25", "--out", out],
    "index": lambda data, out: ["index", "--data", data, "--backend", "bm25", "--out", out],
}


def hub_of(data: Path) -> Path:
    """The collection as a data set of the hub, which `datasets` reads from this machine."""
    folder = data.with_name("hub")
    if not folder.exists():
        tiny.hub(folder, data)
    return folder


@pytest.fixture(autouse=True)
def datasets_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What `datasets` keeps stays out of this user's cache, here and in the processes that are killed."""
    place = tmp_path / "datasets"
    monkeypatch.setenv("HF_DATASETS_CACHE", str(place))
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", place)


def run(words: list[object], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["rankdistill", *map(str, words)])
    status = 0
    try:
        cli.main()
    except SystemExit as stop:
        status = int(stop.code or 0)
    assert status == 0


@pytest.mark.parametrize(
    ("name", "kills"),
    [("mine", 3), ("convert", 4), ("fetch", 3), *(pytest.param(name, 100, marks=pytest.mark.slow) for name in CASES)],
)
def test_a_kill_before_any_change_costs_no_byte(
    tiny_beir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, kills: int
) -> None:
    out = tmp_path / "out"
    words = CASES[name](tiny_beir, out)
    with Forked(PROGRAM, out, 0, tmp_path / "count", *words) as process:
        assert process.ended() == 0, process.errors
    whole, changes = contents(out), int((tmp_path / "count").read_text())
    assert whole
    assert changes > 5
    for at in sorted({1 + round(place * (changes - 1) / max(1, kills - 1)) for place in range(min(kills, changes))}):
        shutil.rmtree(out, ignore_errors=True)
        with Forked(PROGRAM, out, at, tmp_path / "count", *words) as process:
            assert process.ended() == -signal.SIGKILL, at
        run(words, monkeypatch)
        assert contents(out) == whole, at
