"""A student that is used with longer texts than it was trained with: the user's choice, and said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rankdistill import manifest
from rankdistill.verbs.lengths import note_longer
from tests.cli.verb import Run

NOTE = "was trained with 12 tokens of a text, and is used with 40"


@pytest.fixture
def student(rankdistill: Run, tiny_beir: Path, mined: Path, tiny_encoder: str, tmp_path: Path) -> Path:
    store, out = tmp_path / "store", tmp_path / "student"
    line = ("score", "--data", tiny_beir, "--teacher", tiny_encoder, "--candidates", mined, "--out", store)
    assert rankdistill(*line)[0] == 0
    (tmp_path / "train.yaml").write_text("steps: 1\nbatch_size: 2\nmax_document_length: 12\nprecision: float32\n")
    train = ("train", "--data", tiny_beir, "--store", store, "--student", tiny_encoder, "--no-check")
    status, shown = rankdistill(*train, "--config", tmp_path / "train.yaml", "--out", out)
    assert status == 0, shown
    return out


@pytest.mark.usefixtures("torch_alone")
def test_every_verb_that_takes_a_length_says_it(
    rankdistill: Run, student: Path, tiny_beir: Path, mined: Path, tmp_path: Path
) -> None:
    data = ("--data", tiny_beir)
    verbs = {
        "evaluate": ("--model", student, *data),
        "index": ("--model", student, *data),
        "mine": ("--source", f"dense:{student}", *data),
        "embed": ("--teacher", student, *data),
        "score": ("--teacher", student, "--candidates", mined, *data),
        "robustness": ("--query-model", student, "--document-model", student, *data),
    }
    for verb, words in verbs.items():
        status, shown = rankdistill(verb, *words, "--max-length", 40, "--out", tmp_path / f"{verb}-long")
        assert (status, NOTE in shown) == (0, True), shown
    for verb in ("evaluate", "mine"):
        status, shown = rankdistill(verb, *verbs[verb], "--max-length", 12, "--out", tmp_path / f"{verb}-short")
        assert (status, "was trained with" in shown) == (0, False), shown
        status, shown = rankdistill(verb, *verbs[verb], "--out", tmp_path / f"{verb}-own")
        assert (status, "was trained with" in shown) == (0, False), shown


def of(folder: Path, artefact: str, parameters: dict[str, object], limit: float) -> str:
    folder.mkdir()
    manifest.Manifest(artefact=artefact, parameters=parameters).write(folder)
    (folder / "tokenizer_config.json").write_text(json.dumps({"model_max_length": limit}))
    return str(folder)


def test_an_older_student_whose_files_tell_another_length_is_told_of(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    note_longer(of(tmp_path / "old", "student", {"max_document_length": 12}, 40), None)
    assert "is used with 40; --max-length 12 uses it as it was trained" in " ".join(capfd.readouterr().err.split())


def test_a_student_that_was_given_no_length_is_told_of_by_its_log(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    student = of(tmp_path / "own", "student", {"max_document_length": None}, 40)
    (tmp_path / "own" / "training_log.json").write_text(json.dumps({"lengths": {"query": 40, "document": 40}}))
    note_longer(student, 40)
    note_longer(student, None)
    assert capfd.readouterr().err == ""
    note_longer(student, 64)
    assert "was trained with 40 tokens of a text, and is used with 64" in " ".join(capfd.readouterr().err.split())
    for other in ("[1]", "no json", '{"lengths": {"document": null}}'):
        (tmp_path / "own" / "training_log.json").write_text(other)
        note_longer(student, 64)
    assert capfd.readouterr().err == ""


def test_what_is_not_longer_or_not_known_says_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    note_longer(of(tmp_path / "new", "student", {"max_document_length": 12}, 12), None)
    note_longer(of(tmp_path / "whole", "student", {"max_document_length": None}, 40), None)
    note_longer(of(tmp_path / "endless", "student", {"max_document_length": 12}, 1e30), None)
    note_longer(of(tmp_path / "taught", "teacher", {"max_length": 48}, 48), 48)
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "manifest.json").write_text('{"name": "an extension"}')
    note_longer(str(tmp_path / "foreign"), 500)
    note_longer("pypi:a-model", 500)
    damaged = of(tmp_path / "damaged", "student", {"max_document_length": 12}, 12)
    for content in (b"{", b"\xff\xfe", b"[1]"):
        (tmp_path / "damaged" / "tokenizer_config.json").write_bytes(content)
        note_longer(damaged, None)
    note_longer(None, 500)
    assert capfd.readouterr().err == ""
    note_longer(str(tmp_path / "taught"), 49)
    assert "was trained with 48 tokens" in " ".join(capfd.readouterr().err.split())
