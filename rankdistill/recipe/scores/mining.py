"""The candidates of a recipe: the flags of `rankdistill mine` as settings, read by what reads the flags."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from pydantic import Field, field_validator, model_validator

from rankdistill import models
from rankdistill.errors import ConfigError
from rankdistill.recipe.parts import Part
from rankdistill.verbs.settings import Choice, Source, choice_of, sources_of, tokenizer_of


class MinePart(Part):
    """Candidates for each query of the training split."""

    sources: list[str] = Field(
        ["bm25"],
        min_length=1,
        description="Where candidates come from, as `mine --source` takes it: bm25[:TOKENIZER], "
        "lucene-bm25[:LANGUAGE], dense:MODEL, sparse:MODEL, multi-vector:MODEL or index:INDEX, with NAME= before it "
        "where two are of one kind. The BM25 that is evaluated has the tokeniser of the first bm25 here.",
    )
    model: str | None = Field(None, description="Model of sources written without one, as `dense`.")
    max_length: int | None = Field(None, ge=8, description="Tokens that models read of a text; null: their own limit.")
    depth: int = Field(50, ge=1, description="How deep each source is asked.")
    ranks: str | list[str] | None = Field(
        None, description="Keep ranks 'FIRST:LAST' only; or a list of such, and of 'NAME=FIRST:LAST' for one source."
    )
    sample: int | list[int | str] | None = Field(
        None, description="Draw this many from the ranks, uniformly; or a list of such, and of NAME=N for one source."
    )
    seed: int = Field(0, ge=0, description="Seed of the draw.")
    keep_top: bool = Field(
        False,
        description="Of queries without a relevant document keep the first of each list too, whatever ranks and sample "
        "say: training with `unlabelled: top` declares it their positive.",
    )
    fusion: str | None = Field(None, description="rrf, min_max or z_score: let the fused list of the sources choose.")
    weights: list[float] | None = Field(None, description="Of the fusion, one a source.")
    limit_queries: int | None = Field(None, ge=1, description="Mine this many queries, chosen by hash.")

    @field_validator("ranks", mode="before")
    @classmethod
    def _ranks_are_texts(cls, given: object) -> object:
        if any(isinstance(one, int) for one in _listed(given)):
            raise ValueError("write ranks as first:last, in quotes: '1:30'")
        return given

    @model_validator(mode="after")
    def _can_be_mined(self) -> Self:
        if self.weights is not None and self.fusion is None:
            raise ValueError("weights are of a fusion: name one, or leave them out")
        try:
            self.choice().require([source.name for source in self.opened()], self.depth)
        except ConfigError as error:
            raise ValueError(f"expected {error.expected}, got {error.got}") from error
        return self

    def opened(self) -> list[Source]:
        """The sources; nothing is loaded yet."""
        return sources_of(self.sources, self.model, self.max_length)

    def for_judging(self, depth: int, queries: int | None) -> MinePart:
        """The same sources, all that they find to this depth, for so many queries."""
        whole = {"depth": depth, "ranks": None, "sample": None, "fusion": None, "weights": None, "keep_top": False}
        return self.model_copy(update=whole | {"limit_queries": queries})

    @property
    def tokenizer(self) -> str:
        """What BM25 takes for a word: as its first source here does."""
        return tokenizer_of(self.opened())

    def choice(self) -> Choice:
        """Which of the sources' documents become candidates."""
        return choice_of(self.ranks, self.sample, self.seed, self.fusion, self.weights, self.keep_top)

    def decisive(self) -> dict[str, Any]:
        """Everything that decides the candidates besides the data, as JSON values.

        Raises:
            DataError, ModelReferenceError: there is no such index or model.
        """
        found = {name: value for name, value in self.model_dump().items() if name not in _LATER or value}
        if self.model:
            found["model_hash"] = models.resolve(self.model).weights_hash
        inputs = self._inputs()
        others = {name: content for name, content in inputs.items() if content != found.get("model_hash")}
        return found | ({"inputs": others} if others else {})

    def _inputs(self) -> Mapping[str, str]:
        """Hashes of the models and indexes of the sources."""
        return {f"{source.name}.{name}": content for source in self.opened() for name, content in source.inputs.items()}


_LATER = ("max_length", "fusion", "weights", "keep_top")
"""Settings that recipes did not always have: those that are not set leave the identity of a run as it was."""


def _listed(given: Any) -> list[Any]:
    if given is None:
        return []
    return list(given) if isinstance(given, list) else [given]
