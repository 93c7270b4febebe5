"""Tokens inside student and teacher: both run over a batch, and which of its tokens are neighbours is compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from rankdistill import models
from rankdistill.errors import ConfigError
from rankdistill.losses import token_relations
from rankdistill.losses.token_relations import FEWEST
from rankdistill.training.embedding import Features, map_tokens

TEXTS = 16
"""Of similar length whose tokens are compared together: the relations of n tokens take n * n numbers, five times."""

PROBE = "Which 2 passages (or 10%) aren't re-ranked? Naïve, Straße, 日本語, d'été: Übergrößen\u00a0—😀."
"""A text that tokenisers of one vocabulary and other rules cut into other tokens."""


@dataclass(frozen=True)
class TokensOfSide:
    """What the student made of the texts of one side.

    Args:
        vectors: of its tokens.
        counted: which of them are compared by MaxSim.
        features: the tokens.
        task: whether they are queries or documents.
    """

    vectors: Float[Tensor, "texts tokens dim"]
    counted: Bool[Tensor, "texts tokens"]
    features: Features
    task: Literal["query", "document"]


@dataclass(frozen=True)
class TokenGraph:
    """`weight * mean over groups of texts of token_relations(student, teacher)`.

    Args:
        teacher: a module that gives `token_embeddings` of the student's own tokens, in evaluation mode, without
            gradients; the trainer knows nothing of it.
        takes_task: whether it is told what the texts are.
        weight: of the term.
    """

    teacher: nn.Module
    takes_task: bool
    weight: float

    def __call__(self, sides: Sequence[TokensOfSide]) -> Float[Tensor, ""]:
        """The weighted term of a batch; tokens that the student does not compare are no part of it."""
        terms = [term for side in sides for term in self._of_groups(side)]
        return self.weight * (torch.stack(terms).mean() if terms else sides[0].vectors.new_zeros(()))

    def _of_groups(self, side: TokensOfSide) -> list[Float[Tensor, ""]]:
        self.teacher.to(side.vectors.device)
        lengths = side.features["attention_mask"].sum(dim=1)
        order, found = lengths.argsort(stable=True), []
        for chosen in order.tensor_split(-(-len(lengths) // TEXTS)):
            longest = int(lengths[chosen[-1]])
            counted = side.counted[chosen, :longest] & side.features["attention_mask"][chosen, :longest].bool()
            texts = counted.nonzero()[:, 0]
            if len(texts) < FEWEST:
                continue
            with torch.no_grad():
                theirs = self._teachers(side, chosen, longest)
            with torch.autocast(theirs.device.type, enabled=False):
                ours = side.vectors[chosen, :longest]
                found.append(token_relations(ours[counted].float(), theirs[counted].float(), texts))
        return found

    def _teachers(self, side: TokensOfSide, chosen: Tensor, longest: int) -> Float[Tensor, "texts tokens width"]:
        part = map_tokens(side.features, lambda tokens: tokens[chosen, :longest])
        told = {"task": side.task} if self.takes_task else {}
        vectors: Tensor = self.teacher(part, **told)["token_embeddings"]
        return vectors


def build(reference: str, weight: float, student: Any) -> TokenGraph:
    """The comparison with the model that `reference` names: a multi-vector one, or the transformer of another.

    Raises:
        ConfigError: it cuts texts into other tokens than the student.
        ModelReferenceError: there is no such model, or it has no token vectors.
    """
    from rankdistill.inference.loading import kind_of
    from rankdistill.students import multi_vector

    found = models.resolve(reference)
    with torch.random.fork_rng():  # a projection that is drawn and not used
        loaded = multi_vector.load(reference)
    _require_same_tokens(student, loaded, reference)
    _require_positions(student, loaded, reference)
    late = kind_of(found.path) == "multi_vector"
    module = loaded if late else loaded[0]
    return TokenGraph(module.eval().requires_grad_(False), late, weight)


def _require_positions(student: Any, teacher: Any, name: str) -> None:
    from rankdistill.inference import positions

    limit, longest = positions.limit_of(teacher), student.max_seq_length
    if limit is not None and longest is not None and longest > limit:
        raise ConfigError(
            expected=f"a token_teacher that reads as many tokens of a text as the student: {longest:,}",
            got=f"{models.name_of(name)}, which has positions for {limit:,}",
            consequence="nothing was trained: longer texts would have tokens without the teacher's vectors",
            remedy=f"set max_document_length to {limit} or less, or name another token_teacher",
        )


def _require_same_tokens(student: Any, teacher: Any, name: str) -> None:
    ours, theirs = student.tokenizer, teacher.tokenizer
    if ours.get_vocab() != theirs.get_vocab():
        got = f"{models.name_of(name)}, whose vocabulary is another one ({len(theirs):,} entries, not {len(ours):,})"
    elif ours(PROBE)["input_ids"] != theirs(PROBE)["input_ids"]:
        got = f"{models.name_of(name)}, which has the same vocabulary and cuts texts otherwise"
    else:
        return
    raise ConfigError(
        expected="a token_teacher that cuts texts into the student's own tokens, which are compared one by one",
        got=got,
        consequence="nothing was trained",
        remedy="name a model of the same family, do not prune the vocabulary, or leave token_relations_weight out",
    )
