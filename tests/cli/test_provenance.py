"""`list`, `lineage`, `reproduce` and `tune` as they are typed: what they print, and how they end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import rankdistill as rd
from rankdistill.manifest import Manifest
from rankdistill.recipe.reproduce import Reproduction
from rankdistill.verbs.differing import Compared
from tests.cli.verb import Run


def made(folder: Path, kind: str, **fields: Any) -> Path:
    folder.mkdir(parents=True)
    Manifest(kind, **fields).write(folder)
    return folder


def test_list_prints_a_table_or_json_and_takes_kinds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rankdistill: Run
) -> None:
    made(tmp_path / "store", "scores", parameters={"teachers": {"reader-1": {}}})
    made(tmp_path / "student", "student", parameters={"teacher_id": "reader-1", "loss": "kl_div", "type": "dense"})
    monkeypatch.chdir(tmp_path)
    status, out = rankdistill("list", ".")
    assert status == 0
    assert "store scores 1 teacher: reader-1 student student kl_div, dense store" in out
    status, out = rankdistill("list", "--kinds", "students", "--json")
    assert [row["made_from"] for row in _json(out)["artefacts"]] == [["store"]]
    status, err = rankdistill("list", "--kinds", "sudents")
    assert status == 1
    assert "students" in err


def test_lineage_prints_a_tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rankdistill: Run) -> None:
    made(tmp_path / "store", "scores", parameters={"teachers": {"reader-1": {}}}, command="rankdistill score --out .")
    made(tmp_path / "student", "student", parameters={"teacher_id": "reader-1"}, command="rankdistill train --out .")
    monkeypatch.chdir(tmp_path)
    status, out = rankdistill("lineage", "student", "--draw", "it.mmd")
    assert status == 0
    assert "rankdistill train --out ." in out
    assert "└─ scores: store [scores: 1 teacher: reader-1]" in out
    assert Path("it.mmd").is_file()
    status, err = rankdistill("lineage", "nowhere")
    assert status == 1
    assert "Traceback" not in err


def _json(out: str) -> Any:
    """The object among the lines of both streams."""
    return json.loads(out[out.index("{ ") : out.rindex("}") + 1])


@pytest.mark.parametrize(("state", "status"), [("same", 0), ("other numbers", 2)])
def test_reproduce_ends_with_2_where_a_measure_differs(
    monkeypatch: pytest.MonkeyPatch, rankdistill: Run, state: Any, status: int
) -> None:
    part = Compared("evaluate-test-student", "evaluation", state, measures={"ndcg_at_10": (0.5, 0.25)})
    found = Reproduction(Path("RUN"), Path("RUN-reproduced"), (part,), ("torch was 2.1, is now 2.2",), 0.0)
    monkeypatch.setattr(rd, "reproduce", lambda *given, **named: found)
    ended, out = rankdistill("reproduce", "RUN")
    assert ended == status
    assert "version: torch was 2.1, is now 2.2" in out
    ended, out = rankdistill("reproduce", "RUN", "--json")
    assert ended == status
    assert _json(out)["same"] is (status == 0)


def test_tune_says_what_is_wrong_without_a_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rankdistill: Run
) -> None:
    monkeypatch.chdir(tmp_path)
    status, err = rankdistill("tune", "quickstart", "--metric", "accuracy")
    assert status == 1
    assert "ndcg_at_10" in err
    status, err = rankdistill("tune", "no_such_recipe")
    assert status == 1
    assert "quickstart" in err
    assert "Traceback" not in err
