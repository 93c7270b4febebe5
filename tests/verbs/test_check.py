"""The verb `check`, from Python."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

import rankdistill as rd
from rankdistill.errors import ConfigError, GateError, StoreError
from rankdistill.gate.registry import CHECKS
from rankdistill.gate.verdict import Report
from rankdistill.stores.reader import ScoreStore
from tests.cli.verb import Run
from tests.gate.conftest import made_candidates, made_scores, write_store

SQUASHED = 1 / (1 + (-3 * pl.col("score")).exp())


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store of a good teacher and of its squashed copy."""
    candidates = made_candidates()
    good = made_scores(candidates)
    teachers = {"good": ("logit", good), "squashed": ("logit", good.with_columns(score=SQUASHED))}
    write_store(tmp_path / "store", candidates, teachers)
    return tmp_path / "store"


def test_a_store_is_checked_by_path_or_as_it_was_opened_and_a_failure_raises_only_where_asked(store: Path) -> None:
    found = rd.check(str(store))
    assert isinstance(found, Report)
    assert found == rd.check(ScoreStore(store)) == rd.check(store)
    assert repr(found) == f"Report({str(store)!r}: fail, 2 teachers)"
    with pytest.raises(GateError, match="squashed: saturation"):
        found.require()
    rd.check(store, teachers="good").require()
    assert [one.name for one in rd.check(store, teachers=["squashed"]).teachers] == ["squashed"]


def test_what_is_found_prints_and_becomes_frames_and_json(store: Path) -> None:
    found = rd.check(store)
    assert "good: pass" in str(found)
    assert "said to be logits" in str(found)
    assert "<td style=" in found._repr_html_()
    frame = found.to_polars()
    assert frame.columns == ["teacher", "teacher_id", "score_kind", "check", "status", "finding", "meaning", "remedy"]
    assert len(frame) == len(found.to_pandas()) == 2 * len(CHECKS)
    assert set(frame.filter(teacher="squashed", check="saturation")["status"]) == {"fail"}
    assert json.loads(json.dumps(found.to_json()))["status"] == "fail"


def test_strict_is_remembered_until_it_is_said_otherwise(tmp_path: Path) -> None:
    candidates = made_candidates()
    write_store(tmp_path / "short", candidates, {"short": ("logit", made_scores(candidates).head(700))})
    rd.check(tmp_path / "short").require()
    found = rd.check(tmp_path / "short", strict=True)
    with pytest.raises(GateError, match="coverage"):
        found.require()
    found.require(strict=False)


def test_wrong_words_are_errors_of_ours(store: Path) -> None:
    with pytest.raises(ConfigError, match="teachers is meant"):
        rd.check(store, teacher="good")  # type: ignore[call-arg]
    with pytest.raises(ConfigError, match="store of check"):
        rd.check(7)  # type: ignore[arg-type]
    with pytest.raises(StoreError, match="good, squashed"):
        rd.check(store, teachers="none")
    with pytest.raises(ConfigError, match="cosine or dot"):
        rd.check(store, student="manhattan")


def test_files_are_those_of_the_command_and_progress_counts_the_rows(
    store: Path, tmp_path: Path, rankdistill: Run
) -> None:
    seen: list[int] = []
    rd.check(store, report=str(tmp_path / "a.html"), json=tmp_path / "a.json", progress=seen.append)
    assert sum(seen) > 0
    status, _ = rankdistill("check", store, "--report", tmp_path / "b.html", "--json", tmp_path / "b.json")
    assert status == 1
    for suffix in ("html", "json"):
        assert (tmp_path / f"a.{suffix}").read_bytes() == (tmp_path / f"b.{suffix}").read_bytes()


@pytest.mark.parametrize("words", [["STORE", "--json"], ["--json", "STORE"], ["STORE", "--json", "-"]])
def test_json_without_a_file_is_all_that_is_printed(
    words: list[str], store: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import sys

    from rankdistill.cli import main

    given = [str(store) if word == "STORE" else word for word in words]
    monkeypatch.setattr(sys, "argv", ["rankdistill", "check", *given, "--teacher", "good"])
    with pytest.raises(SystemExit) as stop:
        main.main()
    assert not stop.value.code
    wanted = rd.check(store, teachers="good").to_json()
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(wanted))
