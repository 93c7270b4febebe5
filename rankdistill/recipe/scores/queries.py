"""The queries of a recipe that are made of its documents: the flags of `rankdistill queries` as settings."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from pydantic import Field, model_validator

from rankdistill.data.beir import UNJUDGED
from rankdistill.errors import ConfigError
from rankdistill.progress import Reporter
from rankdistill.recipe.collection import Collection
from rankdistill.recipe.parts import Part
from rankdistill.recipe.steps import Step
from rankdistill.verbs.settings import DEFAULT_GENERATOR, generator_identity

if TYPE_CHECKING:
    from pathlib import Path


GENERATED = "generated"
"""The split of generated queries that are neither trained nor measured on, where training is on others."""


class QueriesPart(Part):
    """Queries made of the documents, which take the place of those of the training split, unless that is `unjudged`."""

    generators: list[str | dict[str, Any]] = Field(
        [DEFAULT_GENERATOR],
        min_length=1,
        description="What makes them, as `queries --generator` takes it: embedded, titles, headings, first_sentences, "
        "spans, keywords, seq2seq:MODEL, causal:MODEL, a YAML file, or a mapping with kind and that kind's settings.",
    )
    per_document: int = Field(3, ge=1, description="Queries of a document and generator.")
    limit_documents: int | None = Field(None, ge=1, description="Make queries of this many documents, chosen by hash.")
    teacher: str = Field(
        "bm25", description="What must find a query's document: bm25[:TOKENIZER], a model that embeds, or a source."
    )
    max_length: int | None = Field(None, ge=4, description="Tokens that it reads of a text; null: its own limit.")
    round_trip: int = Field(10, ge=0, description="Among how many first documents it must be; 0: no search.")
    shortest: int = Field(2, ge=1, description="Words of a query at least.")
    longest: int = Field(40, ge=1, description="Words of a query at most.")
    near_duplicate: float = Field(
        0.7, ge=0, le=1, description="Similarity from which the later of two queries goes; 0: only equal ones."
    )
    dev: int = Field(0, ge=0, description="Let this many be the split dev, where the collection has none.")
    test: int = Field(0, ge=0, description="Likewise test.")

    @model_validator(mode="after")
    def _can_be_made(self) -> Self:
        if self.longest < self.shortest:
            raise ValueError("longest: not below shortest")
        try:
            for one in self.generators:
                generator_identity(one, resolve_models=False)
        except ConfigError as error:
            raise ValueError(f"expected {error.expected}, got {error.got}") from error
        return self

    def decisive(self) -> dict[str, Any]:
        """Everything that decides the queries besides the documents, as JSON values.

        Raises:
            ModelReferenceError: there is no such model.
        """
        from rankdistill.verbs.queries import searcher_of

        found = self.model_dump() | {"generators": [dict(generator_identity(one)) for one in self.generators]}
        if not self.round_trip:
            return found
        source = searcher_of(self.teacher, self.max_length)
        return found | {"teacher": {"name": source.name, **source.parameters, **source.inputs}}


@dataclass(frozen=True, kw_only=True)
class QueriedCollection(Collection):
    """A collection whose training queries are made of its documents by a step of the run.

    Args:
        base: the collection with the documents.
        queries: how they are made.
        split: whose queries they take the place of; `unjudged`: of nobody's, they are for dev and test beside these.
    """

    base: Collection
    queries: QueriesPart
    split: str

    @property
    def _of_log(self) -> bool:
        """Whether training is on queries without judgements: generated ones are beside them, in no one's place."""
        return self.split == UNJUDGED

    @property
    def _called(self) -> dict[str, Any]:
        """What the verb is told of splits."""
        return {"split": GENERATED, "unjudged": True} if self._of_log else {"split": self.split}

    @cached_property
    def step(self) -> Step:
        """Makes the queries."""
        settings = {"queries": self.queries.decisive(), "split": self.split} | self.base.identity()
        if self.base.step is None:
            dataset = self.base.dataset
            kept = [split for split in dataset.splits if split != self._called["split"]]
            settings["kept"] = {split: dataset.qrels_hash(split) for split in kept}
            settings["ignore_identical_ids"] = dataset.ignore_identical_ids
        return self.workspace.step("queries", settings, self.base.needs, self._queries)

    @property
    def needs(self) -> list[Step]:
        """The steps that make the documents, and this one."""
        return [*self.base.needs, self.step]

    def _queries(self, out: Path, reporter: Reporter) -> None:
        from rankdistill.verbs.queries import queries

        queries(
            self.base.dataset,
            out,
            **self.queries.model_dump(),
            **self._called,
            progress=reporter,
            command=self.workspace.command,
        )
