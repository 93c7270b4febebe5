"""The table of losses: that every one has a row, and as a whole at a tiny size, twice."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from benchmarks import losses, provenance, student_cells, student_sets, when_it_pays
from benchmarks.losses import LEFT_OUT, OBJECTIVES
from benchmarks.student_cells import COMMON, QUERIES, settings_of
from benchmarks.student_sets import Teacher
from rankdistill.names import ALIGNMENTS, LOSSES, REGULARISERS, has_in_batch_form
from rankdistill.verbs.settings import AlignConfig, TrainConfig

SCORED = {name: one for name, one in OBJECTIVES.items() if not one.texts}


def test_every_loss_has_a_row_and_every_other_name_a_reason() -> None:
    losses_on_scores = [one.settings["loss"] for one in SCORED.values() if not one.in_batch]
    assert losses_on_scores == [*LOSSES, "contrastive"], "the last with an auxiliary head"
    assert SCORED["dual heads"].taught
    in_batch = [one.settings["loss"] for one in SCORED.values() if one.in_batch]
    assert in_batch == [name for name in LOSSES if has_in_batch_form(name)]
    aligned = [AlignConfig(**one.settings) for one in OBJECTIVES.values() if one.texts]
    assert [next(iter(one.extra), one.loss) for one in aligned] == [name for name in ALIGNMENTS if name != "nd"]
    assert {*REGULARISERS, "nd"} < set(LEFT_OUT)
    assert all(LEFT_OUT.values())
    assert all(QUERIES in one.starts for one in OBJECTIVES.values())


def test_what_both_benchmarks_train_is_one_cell() -> None:
    shared = set(OBJECTIVES) & set(when_it_pays.OBJECTIVES)
    assert {"contrastive", "margin-mse in batch", "all margins in batch", "kl", "more alignment"} <= shared
    assert all(OBJECTIVES[name] == when_it_pays.OBJECTIVES[name] for name in shared)


@pytest.mark.parametrize("name", SCORED)
def test_a_loss_differs_from_another_in_nothing_but_itself(name: str) -> None:
    teacher = Teacher("dense", None, "embedding-1", 0.08, "STORE", "VECTORS")
    given = {**COMMON, **settings_of(OBJECTIVES[name], teacher), "document_tower": "VECTORS", "steps": 9}
    found = TrainConfig(**{"batch_size": 8, "negatives": 4, "learning_rate": 1e-4, **given})
    plain = TrainConfig(loss="margin_mse", **COMMON)
    for setting in ("sampling", "warmup", "weight_decay", "schedule", "max_query_length"):
        assert getattr(found, setting) == getattr(plain, setting), setting
    soft = {"kl_div", "splade_v3", "disco", "pld", "pld_positive", "sinkhorn", "sinkd", "tgeo"}
    assert found.teacher_temperature == (0.04 if found.loss in soft or found.has_two_heads else 1.0)
    assert found.scale == (25.0 if found.loss.startswith("pld") else "auto")


@pytest.mark.slow
def test_it_ends_with_a_row_for_each_loss_and_makes_no_cell_twice(
    tiny_beir: Path,
    six_layers: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(provenance, "RESULTS", tmp_path)
    small = {"batch_size": 4, "held_out": 4, "max_document_length": 32}
    for module in (student_sets, student_cells):
        monkeypatch.setattr(module, "DENSE", six_layers)
        monkeypatch.setattr(module, "DOCUMENT_TOKENS", 32)
        monkeypatch.setattr(module, "ALIGNMENT", {**student_sets.ALIGNMENT, **small})
    monkeypatch.setattr(student_cells, "COMMON", {**COMMON, "check": "off", "max_document_length": 32})
    words = ["--data", tiny_beir.parent, "--sets", tiny_beir.name, "--work", tmp_path / "work", "--steps", 2]
    numbers = {"batch-size": 4, "tower-negatives": 2, "align-steps": 2, "queries": 9, "choice": 4}
    words += [word for name, value in numbers.items() for word in (f"--{name}", value)]
    words += ["--rates", "1e-4", "--seeds", "13"]
    monkeypatch.setattr(sys, "argv", ["losses", *map(str, words)])
    losses.main()
    found = json.loads((tmp_path / f"losses_{tiny_beir.name}.json").read_text())
    rows = found["table"]["test"]
    taught = {name: one.taught for name, one in OBJECTIVES.items()}
    assert {row["loss"] for row in rows} == {f"queries: {name}{', dense' * taught[name]}" for name in taught}
    assert all(row["against the start"] for row in rows)
    assert [row["loss"] for row in rows if not row["against contrastive"]] == ["queries: contrastive"]
    assert "Holm p" in capsys.readouterr().out
    made = sorted((tmp_path / "work").rglob("cell.json"))
    assert len(made) == len(OBJECTIVES)
    times = [file.stat().st_mtime_ns for file in made]
    monkeypatch.setattr(sys, "argv", ["losses", *map(str, words)])
    losses.main()
    assert [file.stat().st_mtime_ns for file in sorted((tmp_path / "work").rglob("cell.json"))] == times
