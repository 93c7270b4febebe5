"""`fast` for numbers that are stored: concrete names, and a store goes on with what it was begun with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import rankdistill as rd
from rankdistill import manifest
from rankdistill.inference import encoder, pair_scorer, sparse_encoder
from rankdistill.inference.fastest import Choice
from rankdistill.mining.candidates import Candidates
from rankdistill.teachers import specify
from rankdistill.teachers.settling import settle

PAIRS = [(f"what is the river {number}", f"the river is deep {number}") for number in range(4)]


@pytest.fixture
def chosen(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What the measure finds; a test sets it."""
    found = {"backend": "torch-bf16"}
    for module in (encoder, pair_scorer, sparse_encoder):
        monkeypatch.setattr(module, "choose_fastest", lambda *given, **named: Choice(found["backend"]))
    return found


def _never(fingerprint: Mapping[str, Any]) -> bool:
    return False


@pytest.mark.parametrize(
    ("model", "settings"),
    [
        ("tiny_cross_encoder", {"backend": "torch-bf16"}),
        ("tiny_encoder", {"backend": "torch-bf16"}),
        ("tiny_splade", {"backend": "torch", "dtype": "bfloat16"}),
    ],
)
def test_what_is_specified_names_the_back_end(
    model: str, settings: dict[str, str], chosen: dict[str, str], request: pytest.FixtureRequest
) -> None:
    asked = specify(request.getfixturevalue(model), backend="fast")
    spec, teacher = settle(asked, _never, lambda: PAIRS)
    assert settings.items() <= spec.settings.items()
    assert spec.settings.get("calibration") is None
    assert spec.load().teacher_id == teacher.teacher_id
    assert "fast" not in json.dumps(dict(teacher.fingerprint))


@pytest.mark.slow  # quantising takes ten seconds
def test_a_calibrated_one_keeps_what_it_was_calibrated_with(chosen: dict[str, str], tiny_encoder: str) -> None:
    asked = specify(tiny_encoder, backend="fast")
    chosen["backend"] = "openvino-int8"
    spec, teacher = settle(asked, _never, lambda: PAIRS)
    assert spec.settings["calibration"] == [list(pair) for pair in PAIRS]
    again, _ = settle(asked, lambda one: one == teacher.fingerprint, lambda: PAIRS)
    assert again == spec


def test_a_score_store_goes_on_with_the_back_end_that_it_was_begun_with(
    tiny_beir: Path, tiny_cross_encoder: str, mined: Candidates, tmp_path: Path, chosen: dict[str, str]
) -> None:
    def score(out: str, backend: str) -> list[str]:
        rd.score(tiny_beir, tiny_cross_encoder, mined, tmp_path / out, backend=backend, min_fidelity=0)
        return sorted(path.stem for path in (tmp_path / out / "teachers").glob("*.json"))

    begun = score("one", "torch")
    assert score("one", "fast") == begun
    chosen["backend"] = "onnx"
    half = score("two", "torch-bf16")
    assert score("two", "fast") == half != begun
    assert score("three", "fast") not in (half, begun)
    (kept,) = (tmp_path / "three" / "teachers").glob("*.json")
    assert json.loads(kept.read_text())["backend"] == "onnx"


def test_an_embedding_store_does_too(
    tiny_beir: Path, tiny_encoder: str, tmp_path: Path, chosen: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    rd.embed(tiny_beir, tiny_encoder, tmp_path / "one", backend="torch")
    caplog.clear()
    rd.embed(tiny_beir, tiny_encoder, tmp_path / "one", backend="fast")
    assert "begun with torch, and goes on with it" in caplog.text
    rd.embed(tiny_beir, tiny_encoder, tmp_path / "two", backend="fast", min_fidelity=0)
    assert rd.open(tmp_path / "two").fingerprint["backend"] == "torch-bf16"


@pytest.mark.parametrize("model", ["tiny_encoder", "tiny_splade"])
def test_an_index_does_too(
    model: str, tiny_beir: Path, tmp_path: Path, chosen: dict[str, str], request: pytest.FixtureRequest
) -> None:
    reference, out = request.getfixturevalue(model), tmp_path / "index"
    rd.index(tiny_beir, reference, out, backend="torch")
    before = manifest.read(out)
    rd.index(tiny_beir, reference, out, backend="fast")
    assert manifest.read(out) == before
    rd.index(tiny_beir, reference, tmp_path / "other", backend=["exact", "fast"])
    rd.index(tiny_beir, reference, tmp_path / "other", backend="torch-bf16")
