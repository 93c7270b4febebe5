"""The verbs `robustness` and `ann-recall`, as a user types them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rankdistill import space
from rankdistill.inference import TextEncoder
from tests.cli.verb import Run

pytestmark = pytest.mark.usefixtures("undrawn")


@pytest.fixture
def student(tiny_encoder: str, tmp_path: Path) -> Path:
    """The tiny encoder with its last layer's weights changed, declared to be aligned with it."""
    import torch
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(tiny_encoder, device="cpu")
    torch.manual_seed(1)
    with torch.no_grad():
        for weights in model[0].auto_model.encoder.layer[-1].parameters():
            weights.add_(0.05 * torch.randn_like(weights))
    folder = tmp_path / "student"
    model.save(str(folder), create_model_card=False)
    space.write(folder, TextEncoder(tiny_encoder, backend="torch").space)
    return folder


@pytest.fixture
def towers(tiny_beir: Path, tiny_encoder: str, student: Path) -> list[Any]:
    return ["--data", tiny_beir, "--query-model", student, "--document-model", tiny_encoder, "--backend", "torch"]


def test_the_grid_is_measured_written_and_not_measured_twice(
    rankdistill: Run, towers: list[Any], tiny_beir: Path, tiny_encoder: str, tmp_path: Path
) -> None:
    line = ["robustness", *towers, "--dimensions", "32,16", "--draws", 2, "--out", tmp_path / "out"]
    status, shown = rankdistill(*line)
    assert status == 0, shown
    found = json.loads((tmp_path / "out" / "robustness.json").read_text())
    assert [system["name"] for system in found["systems"]] == ["teacher", "student", "asymmetric"]
    assert len({system["full"] for system in found["systems"]}) > 1
    assert f"{found['systems'][2]['full']:.4f}" in shown
    evaluated = tmp_path / "evaluated"
    rankdistill("evaluate", "--data", tiny_beir, "--model", tiny_encoder, "--backend", "torch", "--out", evaluated)
    teacher = json.loads((evaluated / "results.json").read_text())["ndcg_at_10"]
    assert found["systems"][0]["full"] == pytest.approx(teacher)
    before = (tmp_path / "out" / "report.html").stat().st_mtime_ns
    status, again = rankdistill(*line)
    assert status == 0
    assert again.endswith(said := f"{tmp_path / 'out'} is up to date")
    assert shown.startswith(again.removesuffix(said))
    assert (tmp_path / "out" / "report.html").stat().st_mtime_ns == before
    status, shown = rankdistill(*line[:-3], 3, *line[-2:])
    assert status == 1
    assert "StaleOutputError" in shown


def test_the_same_grid_gives_the_same_bytes(rankdistill: Run, towers: list[Any], tmp_path: Path) -> None:
    for name in ("a", "b"):
        assert rankdistill("robustness", *towers, "--precisions", "binary-int8", "--out", tmp_path / name)[0] == 0
    for file in ("robustness.json", "report.html", "robustness.png", "manifest.json"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


@pytest.mark.parametrize(
    ("search", "factory", "parameter"),
    [("efSearch=1,4,16", "HNSW8", "efSearch"), ("nprobe=1,2", "IVF2,Flat", "nprobe")],
)
def test_recall_is_measured_against_the_effort(
    search: str, factory: str, parameter: str, rankdistill: Run, towers: list[Any], tmp_path: Path
) -> None:
    line = ["ann-recall", *towers, "--factory", factory, "--search", search, "--out", tmp_path / "out"]
    status, shown = rankdistill(*line)
    assert status == 0, shown
    assert f"{parameter} for 0.95" in shown
    found = json.loads((tmp_path / "out" / "ann.json").read_text())
    assert [curve["name"] for curve in found["curves"]] == ["teacher", "asymmetric"]
    for curve in found["curves"]:
        assert curve["points"][-1]["recall"] == pytest.approx(1)
        assert curve["points"][-1]["ndcg_at_10"] == pytest.approx(curve["exact"])
        assert curve["points"][0]["milliseconds"] > 0
    status, again = rankdistill(*line)
    assert status == 0
    assert again.endswith(said := f"{tmp_path / 'out'} is up to date")
    assert shown.startswith(again.removesuffix(said))


def test_untimed_curves_are_the_same_bytes(rankdistill: Run, towers: list[Any], tmp_path: Path) -> None:
    for name in ("a", "b"):
        assert rankdistill("ann-recall", *towers, "--repeats", 0, "--out", tmp_path / name)[0] == 0
    for file in ("ann.json", "report.html", "ann.png"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_a_damaged_result_is_not_shown(rankdistill: Run, towers: list[Any], tmp_path: Path) -> None:
    line = ["ann-recall", *towers, "--repeats", 0, "--search", "efSearch=4", "--out", tmp_path / "out"]
    assert rankdistill(*line)[0] == 0
    (tmp_path / "out" / "ann.json").write_text("{}")
    status, shown = rankdistill(*line)
    assert status == 1
    assert "remove the folder" in shown


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["robustness", "--dimensions", "33"], "from 1 to 32"),
        (["robustness", "--dimensions", "many"], "many"),
        (["robustness", "--precisions", "int4"], "int4"),
        (["robustness", "--split", "tests"], "dev, test, train"),
        (["ann-recall", "--search", "efSearch"], "NAME=V1"),
        (["ann-recall", "--search", "efSearch=0,4"], "whole numbers from 1"),
        (["ann-recall", "--search", "nprobe=4"], "nprobe"),
        (["ann-recall", "--factory", "HNWS"], "HNWS"),
        (["ann-recall", "--factory", "IVF4096,Flat", "--search", "nprobe=1"], "40 vectors"),
    ],
)
def test_bad_settings_say_what_is_wrong(
    words: list[str], message: str, rankdistill: Run, towers: list[Any], tmp_path: Path
) -> None:
    status, shown = rankdistill(words[0], *towers, *words[1:], "--out", tmp_path / "out")
    assert status == 1
    assert message in shown
    assert "Traceback" not in shown
    assert not (tmp_path / "out" / "manifest.json").exists()


@pytest.mark.parametrize("verb", ["robustness", "ann-recall"])
def test_a_student_of_another_teacher_is_refused(
    verb: str, rankdistill: Run, tiny_beir: Path, tiny_encoder: str, student: Path, tmp_path: Path
) -> None:
    (student / "space.json").unlink()
    models = ["--query-model", student, "--document-model", tiny_encoder, "--backend", "torch"]
    status, shown = rankdistill(verb, "--data", tiny_beir, *models, "--out", tmp_path / "out")
    assert status == 1
    assert "SpaceMismatchError" in shown
    few = ["--dimensions", 32, "--precisions", "float32"] if verb == "robustness" else ["--search", "efSearch=4"]
    line = [verb, "--data", tiny_beir, *models, *few, "--unaligned", "--out", tmp_path / "out"]
    assert rankdistill(*line)[0] == 0
