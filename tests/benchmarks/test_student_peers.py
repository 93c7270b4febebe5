"""The benchmark of other libraries' students: what is asked of ours is valid, and the whole at a tiny size."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import provenance, student_peers, student_sets
from benchmarks.student_peers import LAYERS, MAKERS, OURS, PROGRAMS, STATIC
from rankdistill.verbs.settings import AlignConfig, TrainConfig


@pytest.mark.parametrize("name", MAKERS)
def test_a_student_is_made_by_a_program_that_there_is_or_by_settings_that_training_takes(name: str) -> None:
    maker = MAKERS[name]
    assert maker.group in (STATIC, LAYERS)
    if maker.program:
        assert (PROGRAMS / f"{maker.program}.py").is_file()
    elif maker.on == "texts":
        AlignConfig(**maker.settings)
    else:
        TrainConfig(**maker.settings)


def test_each_group_has_a_student_of_ours_that_the_others_are_tested_against() -> None:
    assert set(OURS) == {maker.group for maker in MAKERS.values()}
    assert all(MAKERS[name].group == group and not MAKERS[name].program for group, name in OURS.items())


@pytest.mark.slow
def test_it_ends_and_makes_no_student_twice(
    tiny_beir: Path, six_layers: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provenance, "RESULTS", tmp_path)
    for module in (student_sets, student_peers):
        monkeypatch.setattr(module, "DENSE", six_layers)
        monkeypatch.setattr(module, "DOCUMENT_TOKENS", 32)
    small = {"batch_size": 4, "held_out": 4, "max_document_length": 32}
    monkeypatch.setattr(student_sets, "ALIGNMENT", {**student_sets.ALIGNMENT, **small})
    changes = {STATIC: {"batch_size": 4, "held_out": 4}, LAYERS: small}
    rows_of_two = {"negatives": 2, "check": "off"}
    makers = {
        name: maker
        if maker.program
        else replace(
            maker, settings={**maker.settings, **(changes[maker.group] if maker.on == "texts" else rows_of_two)}
        )
        for name, maker in MAKERS.items()
    }
    monkeypatch.setattr(student_peers, "MAKERS", makers)
    monkeypatch.setattr(student_peers, "NEGATIVES", 2)
    words = ["--data", tiny_beir.parent, "--sets", tiny_beir.name, "--work", tmp_path / "work", "--steps", 4]
    words += ["--align-steps", 2, "--batch-size", 4, "--rates", "1e-4", "--texts", 50, "--queries", 9, "--choice", 4]
    words += ["--seeds", "13,14", "--timed", 2, "--only", "ours: static,ours: aligned,MarginMSELoss"]
    monkeypatch.setattr(sys, "argv", ["student_peers", *map(str, words)])
    student_peers.main()
    made = sorted((tmp_path / "work").rglob("costs.json"))
    times = [file.stat().st_mtime_ns for file in made]
    found = json.loads((tmp_path / "student_peers.json").read_text())["sets"][tiny_beir.name]
    rows = {row["student"]: row for row in found["students"]}
    assert {name: row["trainings"] for name, row in rows.items()} == {
        "ours: static": 1,
        "MarginMSELoss": 2,
        "ours: aligned, then margins in batch": 2,
    }
    assert all(row["minutes"] > 0 and row["megabytes"] > 0 and row["ms_per_query"] > 0 for row in rows.values())
    assert {one["name"] for one in found[LAYERS]["systems"]} == {*rows} - {"ours: static"}
    student_peers.main()
    assert [file.stat().st_mtime_ns for file in made] == times
