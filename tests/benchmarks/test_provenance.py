"""Results say which code made them: they are not written from code that is in no commit."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from benchmarks import provenance, run

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def parser() -> argparse.ArgumentParser:
    return argparse.ArgumentParser()


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One with a file of code, a file of results and a note, all committed."""
    for name in ("rankdistill/a.py", "benchmarks/results/x.json", "note.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("first\n")
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "first"]):
        subprocess.run(
            ["git", "-c", "user.name=a", "-c", "user.email=a@b", *words], cwd=tmp_path, check=True, capture_output=True
        )
    monkeypatch.setattr(provenance, "HERE", tmp_path / "benchmarks")
    return tmp_path


@pytest.mark.parametrize(
    ("changed", "is_dirty"),
    [
        (None, False),
        ("rankdistill/a.py", True),
        ("note.md", True),
        ("rankdistill/new.py", True),
        ("benchmarks/new.py", True),
        ("new.md", False),
        ("benchmarks/results/x.json", False),
        ("benchmarks/results/y.json", False),
    ],
)
def test_code_that_is_in_no_commit_is_told(repository: Path, changed: str | None, is_dirty: bool) -> None:
    if changed is not None:
        (repository / changed).write_text("second\n")
    assert provenance._revision().endswith(provenance.DIRTY) == is_dirty


def test_no_benchmark_starts_from_uncommitted_code(
    parser: argparse.ArgumentParser, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for revision in ("abc-dirty", provenance.UNKNOWN):
        monkeypatch.setattr(provenance, "REVISION", revision)
        with pytest.raises(SystemExit):
            provenance.parse(argparse.ArgumentParser(), [])
        assert "commit the changes first" in capsys.readouterr().err
    monkeypatch.setattr(provenance, "REVISION", "abc")
    assert not provenance.parse(parser, []).scratch


def test_uncommitted_code_writes_no_results_but_for_scratch(
    parser: argparse.ArgumentParser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provenance, "REVISION", "abc-dirty")
    monkeypatch.setattr(provenance, "SCRATCH", tmp_path / "scratch")
    monkeypatch.setattr(provenance, "_scratch", False)
    with pytest.raises(SystemExit, match="abc-dirty"):
        provenance.write_results("x", {})
    assert not (provenance.COMMITTED / "x.json").exists()
    provenance.parse(parser, ["--scratch"])
    assert provenance.write_results("x", {"a": 1}) == tmp_path / "scratch" / "x.json"
    assert json.loads((tmp_path / "scratch" / "x.json").read_text())["a"] == 1


@pytest.mark.parametrize("name", run.BENCHMARKS)
def test_every_benchmark_is_asked_before_it_starts(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", [name, "--help"])
    with pytest.raises(SystemExit):
        import_module(f"benchmarks.{run.BENCHMARKS[name][0]}").main()
    assert "--scratch" in capsys.readouterr().out


@pytest.mark.parametrize("path", sorted((ROOT / "benchmarks" / "results").glob("*.json")), ids=lambda path: path.stem)
def test_every_results_file_is_of_a_commit(path: Path) -> None:
    made = json.loads(path.read_text(encoding="utf-8"))["provenance"]
    assert made["revision"] not in ("", provenance.UNKNOWN)
    assert not made["revision"].endswith(provenance.DIRTY)
    assert made["command"].startswith("python -m benchmarks.")
    assert made["machine"]["processor"]
