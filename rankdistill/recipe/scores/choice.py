"""The teacher of a recipe that names several: each ranks the dev split's candidates, and the best one is taken."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rankdistill import files, integrity, plain_json
from rankdistill.making import making
from rankdistill.manifest import Manifest
from rankdistill.progress import Reporter
from rankdistill.recipe.collection import Collection
from rankdistill.recipe.scores import in_batch
from rankdistill.recipe.scores.schema import BEST, TAUGHT, EnsemblePart, Recipe
from rankdistill.recipe.steps import Step, Workspace, present

if TYPE_CHECKING:
    import polars as pl

ARTEFACT = "teacher choice"
FILE_NAME = "choice.json"
STORE = "scores"
MEASURE = "ndcg_at_10"


@dataclass(frozen=True)
class Chosen:
    """What came of the choice.

    Args:
        name: the candidate that was taken.
        values: candidate -> nDCG@10 of the dev candidates, in the recipe's order; empty where a recipe names one.
        queries: how many were judged.
        split: of the data.
        deviations: single candidate -> mean deviation of its scores within a query.
    """

    name: str
    values: Mapping[str, float]
    queries: int = 0
    split: str = ""
    deviations: Mapping[str, float] = field(default_factory=dict)

    def sentence(self) -> str:
        """What a report says of it."""
        if not self.values:
            return f"The teacher is {self.name}, as the recipe says."
        others = ", ".join(f"{name} {value:.4f}" for name, value in self.values.items() if name != self.name)
        return (
            f"The teacher is {self.name}: nDCG@10 {self.values[self.name]:.4f} over the candidates of {self.queries:,} "
            f"queries of {self.split}, the best of {len(self.values)} ({others})."
        )

    def to_json(self) -> dict[str, Any]:
        """The fields."""
        found: dict[str, Any] = {"chosen": self.name, MEASURE: dict(self.values)}
        return found | {"queries": self.queries, "split": self.split, "deviations": dict(self.deviations)}


@dataclass(frozen=True)
class Choice:
    """The candidates of a recipe's teacher, the steps that judge them, and the one that was taken.

    Args:
        recipe: has candidates.
        workspace: of the run.
        collection: of the data.
        taught: the step that teaches a cross-encoder, where one is a candidate.
        dev_candidates: the step that mines what the candidates rank, where there is a dev split.
    """

    recipe: Recipe
    workspace: Workspace
    collection: Collection
    taught: Step | None
    dev_candidates: Step | None

    @property
    def steps(self) -> list[Step]:
        """Those that judge the candidates; none where the recipe names the one to take."""
        return [] if self._named is not None else [self._judged]

    @property
    def needs(self) -> list[Step]:
        """What whoever uses the teacher needs."""
        return [*present(self.taught), *self.steps]

    def identity(self) -> dict[str, Any]:
        """What identifies the teacher besides the needed steps."""
        return {"teacher": self._identity(self._named)} if self._named is not None else {"teacher": BEST}

    @property
    def chosen(self) -> Chosen:
        """The one that was taken; the steps must be done."""
        if self._named is not None:
            return Chosen(self._named, {})
        found = plain_json.read(integrity.require(self._judged.folder / FILE_NAME))
        return Chosen(found["chosen"], found[MEASURE], found["queries"], found["split"], found["deviations"])

    @property
    def reference(self) -> str | dict[str, Any]:
        """The teacher that was taken, as verbs take one."""
        return self._reference(self.chosen.name)

    @property
    def is_taught(self) -> bool:
        """Whether the one that was taken is the cross-encoder that is taught here."""
        return self._candidates[self.chosen.name] == TAUGHT

    def in_batch(self) -> str:
        """The teacher that was taken, as `in_batch_teacher` names one; an ensemble in a file in the run's folder."""
        chosen = self.chosen
        part, reference = self._candidates[chosen.name], self._reference(chosen.name)
        if isinstance(reference, str):
            return in_batch.reference(reference, self.recipe.teacher, self.recipe.score, self.workspace.root)
        assert isinstance(part, EnsemblePart)
        deviations = [chosen.deviations[one] for one in part.members]
        return in_batch.write(self.workspace.root, reference | {"deviations": deviations})

    @property
    def _named(self) -> str | None:
        choose = self.recipe.teacher.choose
        return None if choose == BEST else choose

    @property
    def _candidates(self) -> Mapping[str, str | EnsemblePart]:
        return self.recipe.teacher.candidates or {}

    @property
    def _judged(self) -> Step:
        """Scores the dev candidates with each single teacher, and judges all of them."""
        settings = {
            "candidates": {name: self._identity(name) for name in self._candidates},
            "score": self.recipe.score.decisive(),
        }
        settings |= self.collection.split_identity(self._dev)
        return self.workspace.step(
            "teacher-choice", settings, [*present(self.dev_candidates), *present(self.taught)], self._judge
        )

    @property
    def _dev(self) -> str:
        return self.recipe.data.dev or ""

    def _identity(self, name: str) -> Any:
        from rankdistill.verbs.settings import teacher_identity

        found = self._candidates[name]
        if isinstance(found, EnsemblePart):
            return {"of": [self._identity(member) for member in found.members], "weights": found.weights}
        return TAUGHT if found == TAUGHT else teacher_identity(found)

    def _reference(self, name: str) -> str | dict[str, Any]:
        found = self._candidates[name]
        if not isinstance(found, EnsemblePart):
            return str(self.taught.folder) if found == TAUGHT and self.taught is not None else found
        score = self.recipe.score
        settings: dict[str, Any] = {"kind": "ensemble", "members": [self._reference(one) for one in found.members]}
        settings |= {"backend": score.backend_of_members, "max_length": score.max_length}
        return settings if found.weights is None else settings | {"weights": found.weights}

    def _judge(self, out: Path, reporter: Reporter) -> None:
        from rankdistill.verbs.score import score

        assert self.dev_candidates is not None  # the recipe has a dev split: `best` is refused without
        part, dataset = self.recipe.score, self.collection.dataset
        wanted = Manifest(
            artefact=ARTEFACT,
            inputs={"data": dataset.fingerprint, "qrels": dataset.qrels_hash(self._dev)},
            parameters={"candidates": {name: self._identity(name) for name in self._candidates}},
            versions={},
            command=self.workspace.command,
        )
        singles = [name for name, one in self._candidates.items() if isinstance(one, str)]
        with making(out, wanted) as made:
            if made.current:
                return
            ids: dict[str, str] = {}
            for name in singles:
                scored: Any = score(
                    dataset,
                    self._reference(name),
                    self.dev_candidates.folder,
                    out / STORE,
                    name=name,
                    **part.model_dump(),
                    progress=reporter,
                    command=self.workspace.command,
                )
                ids[name] = scored.run.teacher
            chosen = self._best(scored, ids)
            files.write_text(out / FILE_NAME, json.dumps(chosen.to_json(), indent=1) + "\n")
            made.wrote([out / FILE_NAME])

    def _best(self, store: Any, ids: Mapping[str, str]) -> Chosen:
        """The candidate of the highest nDCG@10; of equal ones the first."""
        from rankdistill.verbs.ensemble import ensemble

        values, queries = {}, 0
        for name, found in self._candidates.items():
            members = found.members if isinstance(found, EnsemblePart) else [name]
            weights = found.weights if isinstance(found, EnsemblePart) else None
            judged = ensemble(
                store,
                [ids[member] for member in members],
                weights=weights,
                eval_data=self.collection.dataset,
                split=self._dev,
            ).assessed
            assert judged is not None
            values[name], queries = judged.quality.systems[0].measures[MEASURE], judged.quality.queries
        return Chosen(
            max(values, key=lambda name: values[name]),
            values,
            queries,
            self._dev,
            {name: _deviation(store.scores(teacher_id)) for name, teacher_id in ids.items()},
        )


def _deviation(scores: pl.DataFrame) -> float:
    """Mean over the queries of the population deviation of their scores; 1 where all are equal."""
    import polars as pl

    within = scores.group_by("query_id").agg(pl.col("score").cast(pl.Float64).std(ddof=0))
    return round(float(within["score"].mean()), 9) or 1.0  # type: ignore[arg-type]
