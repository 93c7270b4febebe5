"""Texts beyond a model's positions, by every back end, on one and two threads: cut there, never another text's numbers.

OpenVINO on one thread used to give the previous text's output for them; MPNet's table was read past its end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch

from rankdistill.errors import BackendError
from rankdistill.inference import PairScorer, TextEncoder
from rankdistill.inference.backends import BACKENDS, is_exact
from tests.inference.back_ends import EXACT, FAST
from tests.inference.conftest import FAMILIES, POSITIONS
from tests.processor import need_instructions

ROOM = POSITIONS - 2
"""Words beside the special tokens."""

LONG = ["wing lift " * 60, "bake bread with flour " * 40, "heat " * 29 + "transfer violin"]
SHORT = ["the lift of a wing", "heat", "a violin in water " * 7]
TEXTS = [SHORT[0], *LONG, *SHORT[1:]]
CUT = [" ".join(text.split()[:ROOM]) for text in TEXTS]
PAIRS = [(query, text) for query in ("what is lift", "violin " * 50) for text in TEXTS]

CASES = [
    *((family, backend) for family in FAMILIES for backend in EXACT),
    *(("XLMRoberta", backend) for backend in FAST),
    *(pytest.param(family, backend, marks=pytest.mark.slow) for family in ("Bert", "MPNet") for backend in FAST),
]


@pytest.fixture(params=[1, 2])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def _plain(model: str, texts: list[str]) -> np.ndarray:
    from sentence_transformers import SentenceTransformer

    original = SentenceTransformer(model, device="cpu")
    original.max_seq_length = POSITIONS
    return original.encode(texts, show_progress_bar=False)


@pytest.mark.parametrize(("family", "backend"), CASES)
def test_vectors_are_those_of_the_text_cut_at_the_table(
    family: str, backend: str, threads: int, ending: Callable[..., str]
) -> None:
    if BACKENDS[backend].precision == "int8":
        need_instructions(backend)
    encoder = TextEncoder(
        ending(family), backend, device="cpu", calibration=list(zip(TEXTS, reversed(TEXTS), strict=True))
    )
    assert encoder.backend == backend
    found = encoder.encode(TEXTS)
    assert encoder.is_cut(TEXTS).tolist() == [False, True, True, True, False, False]
    np.testing.assert_allclose(found, encoder.encode(CUT), atol=1e-5)
    alone = np.concatenate([encoder.encode([text]) for text in TEXTS])
    np.testing.assert_allclose(found, alone, atol=1e-5 if "bf16" not in backend else 2e-2)
    expected = _plain(ending(family), TEXTS)
    np.testing.assert_allclose(expected, _plain(ending(family), CUT), atol=1e-5)
    if is_exact(backend):
        np.testing.assert_allclose(found, expected, atol=1e-5)
    else:
        assert _cosines(found, expected).min() > (0.85 if backend == "openvino-int8" else 0.97)


@pytest.mark.parametrize("backend", EXACT)
@pytest.mark.parametrize("family", FAMILIES)
def test_scores_of_pairs_are_those_of_plain_sentence_transformers(
    family: str, backend: str, threads: int, ending: Callable[..., str]
) -> None:
    from sentence_transformers import CrossEncoder

    model = ending(family, "ForSequenceClassification")
    original = CrossEncoder(model, device="cpu", max_length=POSITIONS)
    expected = original.predict(PAIRS, activation_fn=torch.nn.Identity(), show_progress_bar=False)
    scorer = PairScorer(model, backend, device="cpu")
    np.testing.assert_allclose(scorer.score(PAIRS), expected, atol=1e-5)
    assert len({round(float(score), 5) for score in expected}) > len(PAIRS) // 2


@pytest.mark.parametrize("backend", [*EXACT, *FAST[:3]])
def test_a_back_end_that_gets_too_many_tokens_all_the_same_gives_nothing(
    backend: str, threads: int, ending: Callable[..., str]
) -> None:
    """Every back end raises: on one thread OpenVINO returns as if it had run."""
    fast: Any = TextEncoder(ending("Bert"), backend, device="cpu")._fast
    for rows in (1, 2):
        before = fast.outputs(_tokens(rows, 9))
        for width in (POSITIONS + 1, 3 * POSITIONS):
            with pytest.raises(BackendError, match=f"{rows} texts|{rows} x {width} tokens"):
                fast.outputs(_tokens(rows, width))
        np.testing.assert_array_equal(fast.outputs(_tokens(rows, 9)), before)


def _tokens(rows: int, width: int) -> dict[str, np.ndarray]:
    ids = np.full((rows, width), 7, dtype=np.int64)
    return {"input_ids": ids, "attention_mask": np.ones_like(ids)}


def _cosines(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    return (left * right).sum(axis=1) / np.linalg.norm(left, axis=1) / np.linalg.norm(right, axis=1)
