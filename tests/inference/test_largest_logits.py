"""The largest logit over tokens: the values and the gradients of the plain computation, with little memory."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from rankdistill.inference.largest_logits import largest_logits

TEXTS, TOKENS, DIM, VOCABULARY = 3, 7, 5, 11


def _inputs(bias: bool = True) -> tuple[Tensor, Tensor, nn.Linear]:
    generator = torch.Generator().manual_seed(4)
    hidden = torch.randn(TEXTS, TOKENS, DIM, dtype=torch.float64, generator=generator).requires_grad_()
    projection = nn.Linear(DIM, VOCABULARY, bias=bias, dtype=torch.float64)
    with torch.no_grad():
        projection.weight.copy_(torch.randn(VOCABULARY, DIM, dtype=torch.float64, generator=generator))
    mask = torch.arange(TOKENS) < torch.tensor([7, 3, 1])[:, None]
    return hidden, mask, projection


def _plain(hidden: Tensor, mask: Tensor, projection: nn.Linear) -> Tensor:
    return projection(hidden).masked_fill(~mask[..., None], -torch.inf).amax(dim=1)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("entries", [1, 3, 100])
def test_values_and_gradients_are_those_of_the_plain_computation(entries: int, bias: bool) -> None:
    hidden, mask, projection = _inputs(bias)
    inputs = [hidden, *projection.parameters()]
    expected = _plain(hidden, mask, projection)
    slopes = torch.autograd.grad(expected.relu().log1p().square().sum(), inputs)
    found = largest_logits(hidden, mask, projection, entries)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(torch.autograd.grad(found.relu().log1p().square().sum(), inputs), slopes)


def test_without_gradients_the_values_are_the_same() -> None:
    hidden, mask, projection = _inputs()
    with torch.inference_mode():
        torch.testing.assert_close(largest_logits(hidden, mask, projection, 2), _plain(hidden, mask, projection))


def test_autocast_computes_in_bf16_and_gives_gradients_in_float32() -> None:
    hidden, mask, projection = _inputs()
    hidden, projection = hidden.detach().float().requires_grad_(), projection.float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = largest_logits(hidden, mask, projection, 3)
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.float(), _plain(hidden, mask, projection), rtol=0.03, atol=0.03)
    found.float().sum().backward()
    assert hidden.grad is not None
    assert hidden.grad.dtype == projection.weight.grad.dtype == torch.float32


def test_the_backward_pass_keeps_no_logits() -> None:
    hidden, mask, projection = torch.randn(4, 64, 8).requires_grad_(), torch.ones(4, 64).bool(), nn.Linear(8, 500)
    sizes: list[int] = []

    def record(tensor: Tensor) -> Tensor:
        sizes.append(tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(record, lambda tensor: tensor):
        largest_logits(hidden, mask, projection, 16).sum()
    assert max(sizes) == 8 * 500
    assert sum(sizes) < 64 * 500
