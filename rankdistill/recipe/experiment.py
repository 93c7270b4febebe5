"""From a recipe to its steps: what each reads, what decides its result, and the call that does it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rankdistill import models
from rankdistill.recipe.schema import Recipe
from rankdistill.recipe.steps import Progress, Step

if TYPE_CHECKING:
    from rankdistill.data import Dataset
    from rankdistill.evaluation.retrieve import Retriever

BM25, TEACHER, INITIAL = "BM25", "teacher", "student before training"
"""The systems that every run reports beside its trained students."""

PYDOCS = "pydocs"


@dataclass(frozen=True)
class Experiment:
    """The steps of a recipe.

    Args:
        recipe: the experiment.
        command: the command line, for manifests.
    """

    recipe: Recipe
    command: str = ""

    @property
    def root(self) -> Path:
        """The run's folder."""
        return self.recipe.folder

    @cached_property
    def steps(self) -> list[Step]:
        """Every step, each after those it needs."""
        steps = [self.data] if self.data else []
        steps.append(self.candidates)
        if self.teacher:
            steps.append(self.teacher)
        steps.append(self.scores)
        if self.initial:
            steps.append(self.initial)
        for variant in self.recipe.variants:
            steps += [self.student(variant), self.index(variant)]
        return steps + [step for split in self.recipe.data.test for step in self.evaluations(split).values()]

    @cached_property
    def dataset(self) -> Dataset:
        """The collection; the data step must be done."""
        from rankdistill import data

        folder = self.data.folder if self.data else Path(self.recipe.data.source)
        return data.load(folder, "lenient" if self.recipe.data.lenient else "strict")

    @cached_property
    def data(self) -> Step | None:
        """Builds or fetches the collection; None where it is a folder already."""
        part = self.recipe.data
        if part.source != PYDOCS and ":" not in part.source:
            return None
        settings: dict[str, Any] = {"source": part.source, "limit": part.limit}
        if part.source == PYDOCS:
            from rankdistill.data.pydocs import DEFAULT_PACKAGES

            settings["packages"] = _versions(DEFAULT_PACKAGES)
        return self._step("data", "documents", settings, [], self._make_data)

    @cached_property
    def candidates(self) -> Step:
        """Mines candidates for the training queries."""
        settings = self.recipe.mine.model_dump() | self._data_settings(self.recipe.data.train)
        if self.recipe.mine.model:
            settings["model_hash"] = models.resolve(self.recipe.mine.model).weights_hash
        return self._step("candidates", "texts", settings, _present(self.data), self._mine)

    @cached_property
    def teacher(self) -> Step | None:
        """Fine-tunes the teacher; None where the recipe names a ready one."""
        part = self.recipe.teacher
        if part.model:
            return None
        settings = {
            "teach": asdict(part.teach),
            "base": models.resolve(part.base).weights_hash,
        } | self._data_settings(self.recipe.data.train)
        return self._step("teacher", "steps", settings, [self.candidates], self._teach)

    @cached_property
    def scores(self) -> Step:
        """Scores the candidates with the teacher."""
        part = self.recipe.teacher
        settings = self.recipe.score.model_dump() | {"kind": part.kind}
        if part.model:
            settings["teacher"] = models.resolve(part.model).weights_hash
        return self._step("scores", "pairs", settings, [self.candidates, *_present(self.teacher)], self._score)

    @cached_property
    def initial(self) -> Step | None:
        """The student before training; None where it keeps all layers and so is the model itself."""
        part = self.recipe.student
        if part.keep_layers is None:
            return None
        settings = {"model": models.resolve(part.model).weights_hash, "keep_layers": part.keep_layers}
        return self._step("initial", "steps", settings, [], self._inherit)

    @property
    def initial_model(self) -> str:
        """Reference of the student before training."""
        return str(self.initial.folder) if self.initial else self.recipe.student.model

    def student(self, variant: str) -> Step:
        """Trains one student."""
        config = self.recipe.train_config(variant)
        settings = {"train": config.model_dump(), "student": models.resolve(self.recipe.student.model).weights_hash}
        settings["dev"] = self.recipe.data.dev
        needs = [self.scores, *_present(self.initial)]

        def work(out: Path, progress: Progress) -> None:
            from rankdistill.stores.reader import ScoreStore
            from rankdistill.training.run import train

            store = ScoreStore(self.scores.folder)
            train(
                self.dataset,
                store,
                self.initial_model,
                out,
                config,
                split=self.recipe.data.train,
                dev_split=self.recipe.data.dev,
                progress=progress,
                command=self.command,
            )

        return self._step(f"student-{variant}", "steps", settings, needs, work)

    def index(self, variant: str) -> Step:
        """Indexes the corpus with one trained student."""
        part, student = self.recipe.index, self.student(variant)

        def work(out: Path, progress: Progress) -> None:
            from rankdistill.index import build

            build(
                self.dataset,
                str(student.folder),
                out,
                part.factory,
                part.shard_size,
                search_parameters=part.search_parameters,
                command=self.command,
                progress=progress,
            )

        return self._step(f"index-{variant}", "texts", part.model_dump(), [student], work)

    def evaluations(self, split: str) -> dict[str, Step]:
        """System -> the step that evaluates it on `split`; BM25 first, trained students in the recipe's order."""
        last = _present(self.data)
        depth = {"rerank_depth": self.recipe.evaluate.rerank_depth}
        systems = {
            BM25: self._evaluation(BM25, split, last),
            INITIAL: self._evaluation(INITIAL, split, [*last, *_present(self.initial)], self._initial_settings()),
        }
        for variant in self.recipe.variants:
            systems[variant] = self._evaluation(variant, split, [self.student(variant), self.index(variant)])
        systems[TEACHER] = self._evaluation(TEACHER, split, [*last, self.scores], depth)
        return systems

    def retriever(self, name: str, progress: Progress) -> Retriever:
        """The system called `name`, ready to be evaluated."""
        from rankdistill import teachers
        from rankdistill.evaluation.dense import dense
        from rankdistill.evaluation.rerank import Reranker
        from rankdistill.evaluation.retrieve import Bm25Retriever

        if name == BM25:
            return Bm25Retriever(self.dataset, BM25)
        if name == TEACHER:
            depth = self.recipe.evaluate.rerank_depth
            title = f"teacher re-ranking BM25's {depth}"
            teacher = teachers.load(self.teacher_model, **self._teacher_settings())
            return Reranker(self.dataset, Bm25Retriever(self.dataset), teacher, title, depth, progress)
        if name == INITIAL:
            return dense(self.dataset, self.initial_model, name=INITIAL, progress=progress)
        student, index = self.student(name), self.index(name)
        return dense(self.dataset, str(student.folder), index.folder, name=name, progress=progress)

    @property
    def teacher_model(self) -> str:
        """Reference of the teacher."""
        return self.recipe.teacher.model or str(self.teacher.folder if self.teacher else "")

    def _step(self, name: str, unit: str, settings: Mapping[str, Any], needs: list[Step], work: Any) -> Step:
        return Step(name, unit, settings, needs, work, self.root)

    def _evaluation(self, name: str, split: str, needs: list[Step], settings: Mapping[str, Any] | None = None) -> Step:
        def work(out: Path, progress: Progress) -> None:
            from rankdistill.evaluation.evaluating import Costs, evaluate
            from rankdistill.evaluation.footprint import footprint

            retriever = self.retriever(name, progress)
            model = {TEACHER: self.teacher_model, INITIAL: self.initial_model}.get(name)
            if name in self.recipe.variants:
                model = str(self.student(name).folder)
            size = footprint(model) if model else None
            costs = Costs(
                model_bytes=size.model_bytes if size else None,
                parameters=size.parameters if size else None,
                index_bytes=getattr(retriever, "index_bytes", None),
            )
            timed = min(self.recipe.evaluate.latency_queries, len(self.dataset.queries(split)))
            evaluate(retriever, self.dataset, split, out, latency_queries=timed, costs=costs, command=self.command)

        named = name.lower().replace(" ", "-")
        known = self._data_settings(split) | {"latency": self.recipe.evaluate.latency_queries} | dict(settings or {})
        return self._step(f"evaluate-{split}-{named}", "texts", known, needs, work)

    def _initial_settings(self) -> dict[str, Any]:
        return {"model": models.resolve(self.recipe.student.model).weights_hash}

    def _teacher_settings(self) -> dict[str, Any]:
        part = self.recipe.score
        return {"kind": self.recipe.teacher.kind, "backend": part.backend, "max_length": part.max_length}

    def _data_settings(self, split: str) -> dict[str, Any]:
        """What identifies the queries and labels of `split`; a collection made here is identified by its step."""
        settings: dict[str, Any] = {"split": split, "lenient": self.recipe.data.lenient}
        if self.data is None:
            settings |= {"data": self.dataset.fingerprint, "qrels": self.dataset.qrels_hash(split)}
        return settings

    def _make_data(self, out: Path, progress: Progress) -> None:
        from rankdistill.data import pydocs, sources

        part = self.recipe.data
        if part.source == PYDOCS:
            pydocs.build(out, limit=part.limit, command=self.command)
        else:
            sources.fetch(part.source, out, command=self.command)

    def _mine(self, out: Path, progress: Progress) -> None:
        from rankdistill.mining import candidates
        from rankdistill.mining.source import named
        from rankdistill.mining.window import Window, parse_ranks

        part = self.recipe.mine
        first, last = parse_ranks(part.ranks) if part.ranks else (1, None)
        candidates.build(
            out,
            self.dataset,
            self.recipe.data.train,
            [named(source, part.model) for source in part.sources],
            part.depth,
            window=Window(first, last, part.sample, part.seed),
            limit_queries=part.limit_queries,
            command=self.command,
            progress=progress,
        )

    def _teach(self, out: Path, progress: Progress) -> None:
        from rankdistill.teachers.teach import teach

        part = self.recipe.teacher
        teach(
            self.dataset,
            self.recipe.data.train,
            self.candidates.folder,
            part.base,
            out,
            part.teach,
            command=self.command,
            progress=progress,
        )

    def _score(self, out: Path, progress: Progress) -> None:
        from rankdistill import tables, teachers
        from rankdistill.stores.writer import ScoreWriter

        ScoreWriter(
            out,
            queries=self.dataset.queries(None),
            documents=self.dataset.contents,
            candidates=self.candidates.folder / tables.CANDIDATES_FILE,
            teacher=teachers.load(self.teacher_model, **self._teacher_settings()),
            dataset_fingerprint=self.dataset.fingerprint,
            unit_size=self.recipe.score.unit_size,
        ).run(command=self.command, progress=progress)

    def _inherit(self, out: Path, progress: Progress) -> None:
        from rankdistill.students.inherit import inherit

        inherit(self.recipe.student.model, self.recipe.student.keep_layers or [], out)


def _present(step: Step | None) -> list[Step]:
    return [] if step is None else [step]


def _versions(packages: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for package in packages:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found
