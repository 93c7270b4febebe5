"""Sub-batches of similar length give the scores and gradients of one padded batch."""

from __future__ import annotations

import pytest
import torch

from rankdistill.errors import ConfigError, TeacherError
from rankdistill.inference.loading import load_cross_encoder
from rankdistill.models import resolve
from rankdistill.teachers.teaching.config import TeachConfig
from rankdistill.teachers.teaching.length_sorted import LengthSorted
from rankdistill.teachers.teaching.objective import build

QUERIES = ["what is the old river", "bread"]
DOCUMENTS = [["the river is deep", "glass " * 30, "iron"], ["planet " * 9, "bread 7"]]
LABELS = [torch.tensor([1.0, 0.0, 0.0]), torch.tensor([1.0, 0.0])]
PAIRS = [(query, text) for query, texts in zip(QUERIES, DOCUMENTS, strict=True) for text in texts]


def test_scores_keep_the_order_of_the_pairs(tiny_cross_encoder: str) -> None:
    model = load_cross_encoder(resolve(tiny_cross_encoder), "cpu", None)
    runner = LengthSorted(model, 40)
    whole = model(model.preprocess(PAIRS))["scores"]
    torch.testing.assert_close(runner(runner.preprocess(PAIRS))["scores"], whole, atol=1e-5, rtol=1e-5)


def test_weights_that_have_diverged_stop_the_teaching(tiny_cross_encoder: str) -> None:
    """RankNet puts 0 in place of differences that are NaN: the loss alone would not show it."""
    model = load_cross_encoder(resolve(tiny_cross_encoder), "cpu", None)
    with torch.no_grad():
        next(model.parameters()).fill_(float("nan"))
    for loss in ("ranknet", "bce"):
        with pytest.raises(TeacherError, match="learning rate"):
            build(model, TeachConfig(loss=loss, negatives=2))([QUERIES, DOCUMENTS], LABELS)


@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf")])
def test_a_weight_decay_that_cannot_be_is_refused(value: float) -> None:
    with pytest.raises(ConfigError, match="weight_decay"):
        TeachConfig(weight_decay=value)


def test_the_losses_equal_their_formulas(tiny_cross_encoder: str) -> None:
    """RankNet: mean over (positive, negative) of log2(1 + exp(s- - s+)); BCE with weighted positives."""
    model = load_cross_encoder(resolve(tiny_cross_encoder), "cpu", None)
    scores = model(model.preprocess(PAIRS))["scores"].squeeze(1).double()
    margins = torch.stack([scores[0] - scores[1], scores[0] - scores[2], scores[3] - scores[4]])
    ranknet = build(model, TeachConfig(loss="ranknet"))([QUERIES, DOCUMENTS], LABELS)
    torch.testing.assert_close(ranknet.double(), torch.log2(1 + torch.exp(-margins)).mean(), atol=1e-5, rtol=1e-5)
    probability = torch.sigmoid(scores)
    labels = torch.cat(LABELS)
    terms = -(2 * labels * probability.log() + (1 - labels) * (1 - probability).log())
    bce = build(model, TeachConfig(loss="bce", negatives=2))([QUERIES, DOCUMENTS], LABELS)
    torch.testing.assert_close(bce.double(), terms.mean(), atol=1e-5, rtol=1e-5)
