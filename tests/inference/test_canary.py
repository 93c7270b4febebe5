"""Back ends that go wrong without an error: too few rows, rows of another text, an output that lags behind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from rankdistill.errors import BackendError
from rankdistill.inference import PairScorer, TextEncoder
from rankdistill.inference.canary import EVERY
from rankdistill.inference.fast_model import FastModel

WIDE = 12
TEXTS = [f"the river is deep and old {number}" for number in range(9)]
LONG = "the stone is round and sweet " * 4


class Wrapped:
    """A back end that does something to what another one gives."""

    def __init__(self, backend: Any, change: Callable[[Wrapped, Mapping[str, Any]], np.ndarray]) -> None:
        self.backend, self.change = backend, change
        self.token_budget: int = backend.token_budget
        self.on_grid = False
        self.last: np.ndarray | None = None
        self.seen: list[tuple[int, ...]] = []

    def run(self, features: Mapping[str, np.ndarray]) -> np.ndarray:
        self.seen.append(features["input_ids"].shape)
        return self.change(self, features)


def _honest(own: Wrapped, features: Mapping[str, np.ndarray]) -> np.ndarray:
    own.last = own.backend.run(features)
    return own.last


def _first_row_alone(own: Wrapped, features: Mapping[str, np.ndarray]) -> np.ndarray:
    return own.backend.run(features)[:1]


def _last_of_wide(own: Wrapped, features: Mapping[str, np.ndarray]) -> np.ndarray:
    """The previous output for a wide batch, as a request that fails in silence has it."""
    if features["input_ids"].shape[1] < WIDE or own.last is None:
        return _honest(own, features)
    return own.last


def _one_call_behind(own: Wrapped, features: Mapping[str, np.ndarray]) -> np.ndarray:
    """Shapes are right, numbers are those of the call before."""
    rows = len(features["input_ids"])
    found, own.last = own.last, own.backend.run(features)
    return own.last if found is None else np.resize(found, (rows, found.shape[1]))


def _of_no_use(own: Wrapped, features: Mapping[str, np.ndarray]) -> np.ndarray:
    raise IndexError("out of memory, or what not")


def _with(model: Any, change: Callable[[Wrapped, Mapping[str, Any]], np.ndarray], budget: int | None = None) -> Wrapped:
    """Let `model` run by a back end that does `change`, with a canary that has seen nothing yet."""
    fast = model._fast
    assert isinstance(fast, FastModel)
    assert fast.canary is not None
    wrapped = Wrapped(fast.backend, change)
    wrapped.token_budget = budget or wrapped.token_budget
    model._fast = replace(fast, backend=wrapped, canary=replace(fast.canary))
    return wrapped


@pytest.fixture
def encoder(tiny_encoder: str) -> TextEncoder:
    return TextEncoder(tiny_encoder, "torch", device="cpu")


@pytest.mark.parametrize("change", [_first_row_alone, _last_of_wide, _one_call_behind, _of_no_use])
@pytest.mark.parametrize("texts", [[*TEXTS, LONG], [TEXTS[0], LONG], [LONG]])
def test_what_goes_wrong_in_silence_is_an_error(
    encoder: TextEncoder, change: Callable[..., np.ndarray], texts: list[str]
) -> None:
    if change is _first_row_alone and len(texts) == 1:
        return
    budget = None if change is _first_row_alone else 8  # each text alone
    _with(encoder, change, budget)
    with pytest.raises(BackendError, match="back end torch"):
        encoder.encode(texts)


def test_pairs_are_watched_too(tiny_cross_encoder: str) -> None:
    scorer = PairScorer(tiny_cross_encoder, "torch", device="cpu")
    _with(scorer, _last_of_wide, 8)
    with pytest.raises(BackendError, match="text before"):
        scorer.score([("old river", LONG), ("old river", "the river")])


def test_a_back_end_that_begins_to_lag_is_found_at_the_end_of_the_run(encoder: TextEncoder) -> None:
    texts = [f"river {number}" for number in range(EVERY)]
    expected = encoder.encode(texts)
    wrapped = _with(encoder, _honest)
    np.testing.assert_array_equal(encoder.encode(texts), expected)
    wrapped.change = _one_call_behind
    with pytest.raises(BackendError, match="known output"):
        encoder.encode(texts)


def test_a_canary_costs_next_to_nothing_and_stands_in_no_batch_of_others(encoder: TextEncoder) -> None:
    queries = [f"what is the river {number % 10}" for number in range(80)]
    expected = encoder.encode(queries)
    wrapped = _with(encoder, _honest)
    alone = np.concatenate([encoder.encode([query]) for query in queries])
    assert len(wrapped.seen) == len(queries) + 1 + len(queries) // EVERY
    np.testing.assert_allclose(alone, expected, atol=1e-5)
    wrapped.seen.clear()
    assert encoder.encode(queries).shape == expected.shape
    canaries = 1
    assert sum(rows for rows, _ in wrapped.seen) == len(queries) + canaries


def test_a_constant_model_is_left_alone(encoder: TextEncoder) -> None:
    """Where all texts have one output nothing can be told apart, and nothing is wrong."""
    wrapped = _with(encoder, lambda own, features: np.ones((len(features["input_ids"]), 32), np.float32))
    fast: Any = encoder._fast
    ones = np.ones((1, 32), np.float32)
    encoder._fast = replace(fast, canary=replace(fast.canary, known=ones, other=ones))
    assert (encoder.encode([*TEXTS, LONG]) == 1).all()
    assert len(wrapped.seen) == 1


def test_a_text_that_is_the_canary_itself_is_none_of_another_text(encoder: TextEncoder) -> None:
    _with(encoder, _honest)
    assert encoder.encode(["which river"]).shape == (1, 32)
