"""Which Java is taken, and what is said where none fits."""

from __future__ import annotations

from pathlib import Path

import pytest

from rankdistill.errors import MissingDependencyError
from rankdistill.indexing.lucene import java, jvm


def _runtime(folder: Path, version: str, release: bool = True, modules: str = "java.base") -> Path:
    program = folder / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2026-01-01' >&2\n")
    program.chmod(0o755)
    if release:
        (folder / "release").write_text(f'IMPLEMENTOR="X"\nJAVA_VERSION="{version}"\nMODULES="{modules}"\n')
    return folder


def _only(monkeypatch: pytest.MonkeyPatch, *homes: Path) -> None:
    monkeypatch.setattr(java, "_homes", lambda: [(home, home.name) for home in homes])


@pytest.mark.parametrize("release", [True, False])
def test_an_old_java_is_passed_over(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, release: bool) -> None:
    old = _runtime(tmp_path / "old", "1.8.0_392", release)
    new = _runtime(tmp_path / "new", "21.0.4", release)
    _only(monkeypatch, tmp_path / "absent", old, new)
    assert [found.version for found in java.installed()] == [8, 21]
    assert java.find().home == new


def test_no_java_and_an_old_one_give_the_remedy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _only(monkeypatch)
    with pytest.raises(MissingDependencyError, match="no Java") as error:
        java.find()
    assert 'pip install "rankdistill[lucene]"' in str(error.value)
    _only(monkeypatch, _runtime(tmp_path / "old", "17.0.15"))
    with pytest.raises(MissingDependencyError, match=r"got: Java 17 at .*old"):
        java.find()


def test_a_java_that_says_no_version_is_not_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _only(monkeypatch, _runtime(tmp_path / "odd", "unknown", release=False))
    with pytest.raises(MissingDependencyError, match="unknown version"):
        java.find()


def test_java_home_is_asked_first_then_the_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    named, on_path = _runtime(tmp_path / "named", "22"), _runtime(tmp_path / "path", "23")
    monkeypatch.setenv("JAVA_HOME", str(named))
    monkeypatch.setenv("PATH", str(on_path / "bin"))
    found = list(java.installed())
    assert (found[0].home, found[0].found_by) == (named, "JAVA_HOME")
    assert (found[-1].home, found[-1].found_by) == (on_path, "PATH")


def test_a_runtime_is_asked_only_for_modules_that_it_has(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A Java that is asked for a module that it lacks exits, and takes Python with it."""
    _only(monkeypatch, _runtime(tmp_path / "small", "25.0.2"))
    assert f"--add-modules={jvm.VECTORS}" not in jvm.options(java.find())
    _only(monkeypatch, _runtime(tmp_path / "full", "25.0.2", modules=f"java.base {jvm.VECTORS}"))
    assert f"--add-modules={jvm.VECTORS}" in jvm.options(java.find())


def test_options_that_java_21_does_not_know_are_left_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _only(monkeypatch, _runtime(tmp_path / "old", "21.0.4"))
    assert not any("unsafe" in option for option in jvm.options(java.find()))


def test_pyserini_absent_gives_the_pip_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jvm, "find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match="pyserini") as error:
        jvm.anserini()
    assert 'pip install "rankdistill[lucene]"' in str(error.value)
