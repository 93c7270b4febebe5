"""Cross-encoders."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from rankdistill.inference.pair_scorer import PairScorer
from rankdistill.serving.contracts import ServedModel
from rankdistill.serving.engine.pair_text_tower import PairTextTower
from rankdistill.serving.engine.rows import Row
from rankdistill.serving.engine.token_tower import TokenTower
from rankdistill.serving.loaders.loading import Loading, precision_of, sample_text
from rankdistill.serving.pair_model import PairModel, PairTower


def load(reference: str, loading: Loading) -> ServedModel:
    """One model that scores pairs."""
    scorer = PairScorer(reference, loading.backend, threads=loading.threads)
    tower: PairTower | None = None
    if scorer.accelerated is not None:
        tower = TokenTower.of(scorer.accelerated, 2)
    if tower is None:
        tower = PairTextTower(partial(_scored, scorer), scorer.model.tokenizer, scorer.max_length)
    return PairModel(
        name=loading.name,
        backend=scorer.backend,
        precision=precision_of(scorer.backend),
        weights=scorer.reference.weights_hash,
        tower=tower,
        lane=loading.lane(tower, _sample_of(tower)),
        limits=loading.limits,
    )


def _sample_of(tower: PairTower) -> Callable[[int], Row]:
    return lambda tokens: tower.pair_rows("river", [sample_text(tokens - 2)])[0]


def _scored(scorer: PairScorer, pairs: list[tuple[str, str]]) -> np.ndarray:
    """float32 `[pairs, 1]`."""
    return scorer.score(pairs)[:, None]
