"""`PairScorer` gives the raw logits of `CrossEncoder.predict`, whatever runs the model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rankdistill.errors import ModelReferenceError
from rankdistill.inference import PairScorer
from tests.inference.back_ends import EXACT

QUERIES = ["what is the old river 3", "bread", "", "iron " * 70]
DOCUMENTS = ["the river is deep", "glass " * 90, "planet 7", ""]
PAIRS = [(query, document) for query in QUERIES for document in DOCUMENTS]


def _logits(model: str, pairs: list[tuple[str, str]]) -> np.ndarray:
    import torch
    from sentence_transformers import CrossEncoder

    return CrossEncoder(model, device="cpu").predict(pairs, activation_fn=torch.nn.Identity())


@pytest.mark.parametrize("backend", EXACT)
def test_every_back_end_gives_the_original_logits(backend: str, tiny_cross_encoder: str) -> None:
    scorer = PairScorer(tiny_cross_encoder, backend=backend, device="cpu")
    assert scorer.backend == backend
    np.testing.assert_allclose(scorer.score(PAIRS), _logits(tiny_cross_encoder, PAIRS), atol=1e-5)


def test_the_sigmoid_of_the_configuration_is_not_applied(tiny_cross_encoder: str) -> None:
    """`predict` applies it by default when there is one label, which squashes every margin."""
    from sentence_transformers import CrossEncoder

    squashed = CrossEncoder(tiny_cross_encoder, device="cpu").predict(PAIRS)
    raw = PairScorer(tiny_cross_encoder, backend="torch", device="cpu").score(PAIRS)
    np.testing.assert_allclose(1 / (1 + np.exp(-raw)), squashed, atol=1e-5)


def test_a_tokeniser_that_frames_these_texts_otherwise_is_asked_itself(
    tiny_cross_encoder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    scorer = PairScorer(tiny_cross_encoder, backend="torch", device="cpu")
    assert scorer._fast is not None
    monkeypatch.setattr(type(scorer._fast), "_framed_as_original", lambda *_: False)
    np.testing.assert_allclose(scorer.score(PAIRS), _logits(tiny_cross_encoder, PAIRS), atol=1e-5)


def test_a_head_with_several_outputs_is_refused(tiny_bert: Path, tiny_encoder: str, tmp_path: Path) -> None:
    from sentence_transformers import CrossEncoder

    CrossEncoder(str(tiny_bert), num_labels=3, device="cpu").save_pretrained(str(tmp_path))
    with pytest.raises(ModelReferenceError, match="num_labels = 3"):
        PairScorer(str(tmp_path))
    with pytest.raises(ModelReferenceError, match="without such a head"):
        PairScorer(tiny_encoder)


def test_the_maximum_length_is_part_of_the_fingerprint(tiny_cross_encoder: str) -> None:
    short = PairScorer(tiny_cross_encoder, backend="torch", max_length=12, device="cpu")
    whole = PairScorer(tiny_cross_encoder, backend="torch", device="cpu")
    assert (short.fingerprint["max_length"], whole.fingerprint["max_length"]) == (12, 64)
    assert short.fingerprint["activation"] == "identity"
    assert short.score(PAIRS[1:2]) != pytest.approx(whole.score(PAIRS[1:2]), abs=1e-4)
    assert whole.score([]).shape == (0,)
