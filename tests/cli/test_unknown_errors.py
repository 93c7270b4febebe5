"""The outermost layer: whatever goes wrong is one line and a file, on any terminal."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from rankdistill.cli import main as cli
from tests.cli.verb import Run
from tests.forked import COMMAND, Forked


def failing(error: BaseException) -> object:
    def build(asked: object) -> object:
        def command() -> None:
            raise type(error)(*error.args)

        return command

    return build


@pytest.mark.parametrize(
    "error",
    [TypeError("a\nsurprise \udcff"), RecursionError("too deep"), MemoryError(), ZeroDivisionError("x" * 5000)],
    ids=["TypeError", "RecursionError", "MemoryError", "long"],
)
def test_an_error_that_nobody_foresaw_is_one_line_with_a_file(
    rankdistill: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setenv("RANKDISTILL_CACHE", str(tmp_path))
    monkeypatch.setattr(cli, "build_app", failing(error))
    status, shown = rankdistill("status", "x")
    assert status == 1
    assert "Traceback" not in shown
    assert type(error).__name__ in shown
    assert "please report it" in shown
    assert len(shown) < 1000
    [file] = (tmp_path / "errors").iterdir()
    assert str(file) in shown
    saved = file.read_text()
    assert "Traceback (most recent call last)" in saved
    assert "rankdistill status x" in saved
    rankdistill("status", "x")
    assert [*(tmp_path / "errors").iterdir()] == [file], "the same error has one file"


def test_where_the_cache_cannot_be_written_to_the_file_lies_elsewhere(
    rankdistill: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("RANKDISTILL_CACHE", str(tmp_path / "file"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(cli, "build_app", failing(TypeError("surprise")))
    shown = rankdistill("status", "x")[1]
    [file] = (tmp_path / "rankdistill-errors").iterdir()
    assert str(file) in shown


def test_a_user_without_a_home_is_told_too(rankdistill: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container whose user has no entry in passwd."""

    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr("rankdistill.cli.unknown_error.cache_folder", homeless)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(cli, "build_app", failing(TypeError("surprise")))
    status, shown = rankdistill("status", "x")
    assert status == 1
    [file] = (tmp_path / "rankdistill-errors").iterdir()
    assert str(file) in shown
    assert "Traceback" not in shown


@pytest.fixture
def evaluated(rankdistill: Run, tiny_beir: Path, tmp_path: Path) -> Path:
    """An evaluation with a name beyond Latin."""
    folder = tmp_path / "evaluated"
    words = ("--data", tiny_beir, "--split", "test", "--model", "bm25", "--name", "漢 →", "--out", folder)
    assert rankdistill("evaluate", *words)[0] == 0
    return folder


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_a_terminal_without_unicode_shows_what_it_can(evaluated: Path, tmp_path: Path, encoding: str) -> None:
    again = tmp_path / "again"
    shutil.copytree(evaluated, again)
    program = f"import sys; sys.stdout.reconfigure(encoding={encoding!r}); {COMMAND}"
    with (
        Forked(program, "compare", evaluated, again) as table,
        Forked(program, "compare", evaluated, again, "--json") as as_json,
    ):
        for process in (table, as_json):
            assert process.ended() == 0, process.errors
            assert process.out.isascii()
            assert "\\u6f22 \\u2192" in process.out
        assert "漢 →" in json.dumps(json.loads(as_json.out), ensure_ascii=False)


def test_a_formula_in_a_name_is_drawn_as_it_is_written(rankdistill: Run, tiny_beir: Path, tmp_path: Path) -> None:
    for name in ("$x^{$", "plain"):
        words = ("--data", tiny_beir, "--split", "test", "--model", "bm25", "--name", name, "--out", tmp_path / name)
        assert rankdistill("evaluate", *words)[0] == 0
    page = tmp_path / "page.html"
    status, shown = rankdistill("compare", tmp_path / "$x^{$", tmp_path / "plain", "--report", page)
    assert status == 0, shown
    assert page.read_text().count("$x^{$") > 3
