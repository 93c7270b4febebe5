"""Computing the last layer for the first token alone changes neither outputs nor gradients, and can be undone."""

from __future__ import annotations

import pytest
import torch

from rankdistill.inference.first_token import keep_all_tokens, keep_first_token, reads_first_token
from rankdistill.inference.loading import load_cross_encoder, load_encoder
from rankdistill.models import resolve

PAIRS = [("what is the old river", "the river is deep"), ("bread", "glass " * 30), ("", "planet")]


def _scores_and_gradient(model) -> tuple[torch.Tensor, torch.Tensor]:
    scores = model(model.preprocess(PAIRS))["scores"]
    weight = model[0].model.bert.encoder.layer[-1].attention.self.key.weight
    return scores, torch.autograd.grad(scores.sum(), weight)[0]


def test_outputs_gradients_and_weight_names_stay(tiny_cross_encoder: str) -> None:
    model = load_cross_encoder(resolve(tiny_cross_encoder), "cpu", None)
    names = set(model.state_dict())
    whole = _scores_and_gradient(model)
    assert reads_first_token(model)
    keep_first_token(model)
    shapes: list[torch.Size] = []
    model[0].model.bert.encoder.register_forward_hook(lambda *given: shapes.append(given[2].last_hidden_state.shape))
    for before, after in zip(whole, _scores_and_gradient(model), strict=True):
        torch.testing.assert_close(before, after, atol=1e-5, rtol=1e-5)
    assert shapes == [torch.Size([3, 1, 32])]
    assert set(model.state_dict()) == names
    keep_all_tokens(model)
    assert torch.equal(_scores_and_gradient(model)[0], whole[0])


@pytest.mark.parametrize(("pooling", "expected"), [("cls", True), ("mean", False), (("cls", "mean"), False)])
def test_only_models_that_read_one_token_are_shortened(pooling, expected: bool, tiny_bert, tmp_path) -> None:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer

    modules = [Transformer(str(tiny_bert)), Pooling(32, pooling_mode=pooling)]
    SentenceTransformer(modules=modules, device="cpu").save(str(tmp_path), create_model_card=False)
    assert reads_first_token(load_encoder(resolve(str(tmp_path)), "cpu", None)) is expected
