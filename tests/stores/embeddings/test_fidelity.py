"""Back ends that are not exact are compared with float32 before anything is embedded."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from rankdistill.errors import BackendFidelityError
from rankdistill.stores.embeddings.fidelity import FidelityCheck, compare
from tests.stores.embeddings.conftest import HashEmbedder, MakeWriter


def test_equal_vectors_have_full_fidelity() -> None:
    vectors = np.random.default_rng(0).normal(size=(50, 6)).astype(np.float32)
    found = compare(vectors, vectors)
    assert found.record == {
        "texts": 50, "cosine": 1.0, "cosine_low": 1.0, "cosine_least": 1.0, "length_error": 0.0,
    }  # fmt: skip


def test_figures_agree_with_a_computation_row_by_row() -> None:
    generator = np.random.default_rng(1)
    reference = generator.normal(size=(200, 6))
    found = reference + generator.normal(size=(200, 6)) * 0.3
    cosines = [float(a @ b / np.sqrt((a @ a) * (b @ b))) for a, b in zip(reference, found, strict=True)]
    lengths = [abs(np.sqrt(b @ b) / np.sqrt(a @ a) - 1) for a, b in zip(reference, found, strict=True)]
    figures = compare(reference, found)
    assert figures.cosine == pytest.approx(np.mean(cosines))
    assert figures.cosine_low == pytest.approx(np.quantile(cosines, 0.01))
    assert figures.cosine_least == pytest.approx(min(cosines))
    assert figures.length_error == pytest.approx(max(lengths))


def test_a_few_bad_texts_are_enough_to_refuse() -> None:
    vectors = np.eye(8, dtype=np.float32).repeat(50, axis=0)
    turned = vectors.copy()
    turned[:5] = -turned[:5]
    assert compare(vectors, turned).cosine == pytest.approx(0.975)
    with pytest.raises(BackendFidelityError, match="hundredth part"):
        compare(vectors, turned).require(0.95, "int8")


def test_drift_is_refused_before_anything_is_written(writer: MakeWriter, tmp_path: Path) -> None:
    with pytest.raises(BackendFidelityError, match=r"mean cosine of 0\.99"):
        writer(HashEmbedder(noise=0.5)).run()
    assert not (tmp_path / "store").exists()


def test_small_drift_is_recorded_and_a_lower_bar_or_none_is_respected(writer: MakeWriter, tmp_path: Path) -> None:
    writer(HashEmbedder(noise=0.001)).run()
    record = json.loads((tmp_path / "store" / "fidelity.json").read_text())
    assert 0.999 < record["cosine"] <= 1
    assert json.loads((tmp_path / "store" / "manifest.json").read_text())["parameters"]["fidelity"] == record
    writer(HashEmbedder(noise=0.5), store="none", fidelity=FidelityCheck(0)).run()
    assert not (tmp_path / "none" / "fidelity.json").exists()


def test_the_check_is_done_once_a_store(writer: MakeWriter) -> None:
    writer(HashEmbedder(noise=0.001)).run()
    again = HashEmbedder(noise=0.001)
    writer(again).run()
    assert not again.seen
