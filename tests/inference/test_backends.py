"""Names of back ends; those in less precision than float32; exported models that outlive the process."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from rankdistill.errors import ConfigError, MissingDependencyError
from rankdistill.inference import PairScorer, TextEncoder
from rankdistill.inference.backends import BACKENDS, choose, is_exact, registry
from rankdistill.locations import cache_folder
from tests.forked import Forked
from tests.inference.back_ends import FAST
from tests.inference.test_pair_scorer import PAIRS
from tests.processor import need_instructions


def test_auto_is_exact_and_takes_what_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (choose("auto", "cpu"), choose("auto", "cuda:1")) == ("openvino", "torch")
    monkeypatch.setattr(registry, "find_spec", lambda library: None if library == "openvino" else library)
    assert choose("auto", "cpu") == "onnx"
    monkeypatch.setattr(registry, "find_spec", lambda library: None)
    assert choose("auto", "cpu") == "torch"
    assert all(is_exact(name) for name in registry.FASTEST_FIRST)


@pytest.mark.parametrize(("name", "device"), [("quick", "cpu"), ("torch-fp16", "cpu"), ("openvino-int8", "cuda:0")])
def test_what_is_not_there_is_refused_with_what_is(name: str, device: str) -> None:
    with pytest.raises(ConfigError, match="torch"):
        choose(name, device)


@pytest.mark.parametrize("backend", FAST)
def test_fast_back_ends_are_near_and_say_what_they_are(backend: str, tiny_cross_encoder: str) -> None:
    if BACKENDS[backend].precision == "int8":
        need_instructions(backend)
    scorer = PairScorer(tiny_cross_encoder, backend=backend, device="cpu", calibration=PAIRS)
    load_exact = scorer.exact()
    assert load_exact is not None
    reference = load_exact()
    assert (scorer.backend, reference.backend, reference.exact()) == (backend, "torch", None)
    expected = reference.score(PAIRS)
    assert np.corrcoef(scorer.score(PAIRS), expected)[0, 1] > (0.5 if backend == "openvino-int8" else 0.98)
    assert np.abs(scorer.score(PAIRS) - expected).max() > 0
    assert scorer.fingerprint["dtype"] == BACKENDS[backend].precision
    assert ("calibration" in scorer.fingerprint) == BACKENDS[backend].calibrated


@pytest.mark.parametrize("backend", ["onnx-int8", "openvino-int8"])
def test_int8_scores_do_not_depend_on_the_pairs_beside(backend: str, tiny_cross_encoder: str) -> None:
    """ONNX Runtime's dynamic quantisation takes one range for a whole batch, padding and all."""
    scorer = PairScorer(tiny_cross_encoder, backend=backend, device="cpu", calibration=PAIRS)
    together = scorer.score(PAIRS)
    alone = np.concatenate([scorer.score([pair]) for pair in PAIRS])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    np.testing.assert_allclose(scorer.score(PAIRS[::-1])[::-1], together, atol=1e-5)


@pytest.mark.parametrize("backend", ["onnx-int8", "openvino-int8"])
def test_an_encoder_in_int8_stays_in_the_space_of_the_others(backend: str, tiny_encoder: str) -> None:
    need_instructions(backend)
    texts = [document for _, document in PAIRS[:4]]
    encoder = TextEncoder(tiny_encoder, backend=backend, device="cpu", calibration=PAIRS)
    load_exact = encoder.exact()
    assert load_exact is not None
    exact = load_exact()
    assert encoder.space == exact.space
    cosines = (encoder.encode(texts) * exact.encode(texts)).sum(axis=1)
    assert cosines.min() > 0.97


@pytest.mark.parametrize("backend", ["onnx", "onnx-int8", "openvino"])
def test_a_second_load_takes_the_exported_model(
    backend: str, tiny_cross_encoder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANKDISTILL_CACHE", str(tmp_path))
    first = PairScorer(tiny_cross_encoder, backend=backend, device="cpu").score(PAIRS)
    assert [folder.name.rsplit("-", 1)[0] for folder in (cache_folder() / "exports").iterdir()] == [backend]
    for module in ("onnx_runtime", "openvino_runtime"):
        name = f"rankdistill.inference.backends.{module}.tensors_of"
        monkeypatch.setattr(name, lambda example: pytest.fail("the model was exported again"))
    np.testing.assert_array_equal(PairScorer(tiny_cross_encoder, backend=backend, device="cpu").score(PAIRS), first)


REPORTED = """
import sys
assert "openvino" not in sys.modules
from rankdistill.inference import TextEncoder
assert TextEncoder(sys.argv[1], "openvino", device="cpu").backend == "openvino"
print(sorted(name for name in sys.modules if name.startswith("openvino_telemetry")))
"""


def test_openvino_does_not_report_that_it_is_used(tiny_encoder: str) -> None:
    """It would when it is imported, over the network, from a process that it forks."""
    with Forked(REPORTED, tiny_encoder) as process:
        assert process.ended() == 0, process.errors
        assert process.out == "[]\n"


def test_a_missing_library_is_named(tiny_cross_encoder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANKDISTILL_CACHE", str(tmp_path))
    monkeypatch.setitem(sys.modules, "nncf", None)
    with pytest.raises(MissingDependencyError, match=r"rankdistill\[int8\]"):
        PairScorer(tiny_cross_encoder, backend="openvino-int8", device="cpu")


def test_a_model_that_no_back_end_runs_is_exact(tiny_cross_encoder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rankdistill.inference.fast_model.framing_of", lambda *_: None)
    scorer = PairScorer(tiny_cross_encoder, backend="openvino-int8", device="cpu")
    assert (scorer.backend, scorer.exact(), scorer.fingerprint["dtype"]) == ("sentence-transformers", None, "float32")
