"""Exported models are made once, made anew when damaged, and never needed to be writable."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from pathlib import Path

import pytest

from rankdistill import manifest
from rankdistill.inference import export_cache
from rankdistill.inference.export_cache import exported
from rankdistill.locations import cache_folder

IDENTITY = {"weights": "w" * 64, "max_length": 32}


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RANKDISTILL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def _writer(calls: list[Path], text: str = "weights") -> Callable[[Path], None]:
    def build(folder: Path) -> None:
        calls.append(folder)
        assert not [path for path in folder.iterdir() if path.name != ".lock"]
        (folder / "model.bin").write_text(text)

    return build


def _get(build: Callable[[Path], None], backend: str = "onnx", **identity: object) -> Path:
    with exported(backend, IDENTITY | identity, ["numpy"], build) as folder:
        assert (folder / "model.bin").read_text() == "weights"
        return folder


def test_a_model_is_exported_once(cache: Path) -> None:
    calls: list[Path] = []
    assert _get(_writer(calls)) == _get(_writer(calls))
    assert len(calls) == 1
    assert calls[0].is_relative_to(cache)


def test_what_an_export_depends_on_is_in_its_key(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Path] = []
    folders = {_get(_writer(calls)), _get(_writer(calls), backend="openvino"), _get(_writer(calls), max_length=64)}
    folders |= {_get(_writer(calls), weights="v" * 64), _get(_writer(calls), calibration="c")}
    monkeypatch.setattr(manifest, "versions_of", lambda *_: {"numpy": "0.1"})
    assert len(folders | {_get(_writer(calls))}) == len(calls) == 6


@pytest.mark.parametrize("damage", ["changed", "removed", "no manifest", "broken manifest", "stray"])
def test_a_damaged_entry_is_made_anew(cache: Path, damage: str) -> None:
    calls: list[Path] = []
    folder = _get(_writer(calls))
    if damage == "changed":
        (folder / "model.bin").write_text("weighed")
    elif damage == "removed":
        (folder / "model.bin").unlink()
    elif damage == "broken manifest":
        (folder / manifest.FILE_NAME).write_text("{")
    else:
        (folder / manifest.FILE_NAME).unlink()
    if damage == "stray":
        (folder / "part").mkdir()
        (folder / "part" / "weights").write_text("")
    _get(_writer(calls))
    _get(_writer(calls))
    assert len(calls) == 2


def test_a_failed_export_leaves_nothing_that_is_taken_for_one(cache: Path) -> None:
    def fail(folder: Path) -> None:
        (folder / "model.bin").write_text("wei")
        raise ValueError("no such operator")

    with pytest.raises(ValueError, match="operator"):
        _get(fail)
    calls: list[Path] = []
    _get(_writer(calls))
    assert len(calls) == 1


def test_where_the_cache_cannot_be_written_the_model_is_exported_for_this_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("RANKDISTILL_CACHE", str(tmp_path / "file"))
    said: list[str] = []
    # Not caplog: libraries that other tests load switch off the loggers that are there before them.
    monkeypatch.setattr(export_cache.logger, "warning", lambda text, *parts: said.append(text % parts))
    calls: list[Path] = []
    folder = _get(_writer(calls))
    assert not folder.exists()
    assert len(said) == 1
    assert "not kept" in said[0]


def _export_in_process(folder: str, started: multiprocessing.synchronize.Barrier) -> None:
    def build(made: Path) -> None:
        with (Path(folder) / "log").open("a") as log:
            log.write("built\n")
        (made / "model.bin").write_text("weights")

    started.wait(30)
    _get(build)


def test_processes_that_need_the_same_model_export_it_once(cache: Path, tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(3)
    workers = [context.Process(target=_export_in_process, args=(str(tmp_path), barrier)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    assert (tmp_path / "log").read_text() == "built\n"


def test_the_folder_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("RANKDISTILL_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "rankdistill"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache" / "rankdistill"
