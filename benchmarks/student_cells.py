"""Students of one collection, trained in many ways that differ in one thing each: a cell is one student.

A cell is a folder: a run that was interrupted goes on, and several processes share the work.
"""

from __future__ import annotations

import argparse
import inspect
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import gcd
from pathlib import Path
from typing import Any

import rankdistill
from benchmarks import seeds
from benchmarks.apart import CHOICE
from benchmarks.student_sets import (
    ALIGNMENT,
    DENSE,
    DOCUMENT_TOKENS,
    MEASURE,
    QUERY_TOKENS,
    SPARSE,
    PreparedSet,
    Teacher,
    emptied,
)
from rankdistill import files
from rankdistill.errors import LockedError
from rankdistill.manifest import digest
from rankdistill.names import LOSSES, load

SETS: Mapping[str, tuple[str, ...]] = {
    "scifact": ("test",),
    "msmarco_mini": ("dl19", "dev"),
    "medquad": ("test", "dev"),
}
"""Collection -> the splits that are reported on."""

LABELS = "labels"
TEACHERS = ("bm25", "dense", "ensemble", "taught")
STARTS = ("cut", "aligned", "queries")
QUERIES = "queries"
"""The start whose documents are not trained, but those of a document tower: all-MiniLM-L6-v2."""


@dataclass(frozen=True)
class Objective:
    """What a student is trained on.

    Args:
        settings: of `TrainConfig`.
        in_batch: whether the teacher scores the pairs of the batch too.
        taught: whether it has a teacher.
        starts: those that it is trained from.
        texts: whether it goes on with the alignment, with as many texts a step as the others have.
    """

    settings: Mapping[str, Any]
    in_batch: bool = False
    taught: bool = True
    starts: Sequence[str] = STARTS
    texts: bool = False


CONTRASTIVE = "contrastive"

COMMON = {
    "sampling": "uniform",
    "check": "warn",
    "max_query_length": QUERY_TOKENS,
    "max_document_length": DOCUMENT_TOKENS,
}


@dataclass(frozen=True)
class Cell:
    """One student.

    Args:
        start: a key of `STARTS`.
        objective: its name.
        teacher: one of `TEACHERS`, or `LABELS`.
        rate: learning rate.
        seed: of the training.
    """

    start: str
    objective: str
    teacher: str
    rate: float
    seed: int

    @property
    def system(self) -> str:
        """What tables call its trainings."""
        taught = "" if self.teacher == LABELS else f", {self.teacher}"
        return f"{self.start}: {self.objective}{taught}"


class Cells:
    """The cells of one collection.

    Args:
        prepared: the collection.
        splits: to report on.
        given: the arguments; see `add_arguments`.
        objectives: name -> objective; cells of one name and the same settings are one, whichever benchmark asks.
    """

    def __init__(
        self,
        prepared: PreparedSet,
        splits: Sequence[str],
        given: argparse.Namespace,
        objectives: Mapping[str, Objective],
    ) -> None:
        self.prepared, self.splits, self.given, self.objectives = prepared, splits, given, objectives
        self.settings = {
            **COMMON,
            "steps": given.steps,
            "batch_size": given.batch_size,
            "negatives": given.negatives,
        }
        shared = {**self.settings, "align": given.align_steps}
        self._folder = prepared.folder / "cells" / digest(shared)[:8]
        self._queries = prepared.folder / "cells" / digest({**shared, "negatives": given.tower_negatives})[:8]

    def systems(self) -> Iterator[tuple[str, str, str]]:
        """(start, objective, teacher) of each system that was asked for."""
        for name, objective in self.objectives.items():
            if self.given.only and not any(_says(part, name) for part in self.given.only):
                continue
            for start in (start for start in self.given.starts if start in objective.starts):
                for teacher in self.given.teachers if objective.taught else (LABELS,):
                    if not (objective.in_batch and teacher == "bm25"):  # it has no vectors
                        yield start, name, teacher

    def run(self) -> None:
        """Train and evaluate what is missing and no other process is at: the rates first, then the other seeds."""
        first, *others = self.given.seeds
        for system in self.systems():
            for rate in self.given.rates:
                self._make(Cell(*system, rate, first))
        for seed in others:
            for system in self.systems():
                if (rate := self.rate(*system)) is not None:
                    self._make(Cell(*system, rate, seed))

    def rate(self, start: str, objective: str, teacher: str) -> float | None:
        """The learning rate of the best nDCG@10 on `choice` with the first seed; None where one is missing."""
        cells = [Cell(start, objective, teacher, rate, self.given.seeds[0]) for rate in self.given.rates]
        if not all(self.done(cell) for cell in cells):
            return None
        return max(cells, key=self.value).rate

    def value(self, cell: Cell, split: str = CHOICE) -> float:
        """nDCG@10 of a cell that is done."""
        return _value(self._at(cell) / split)

    def done(self, cell: Cell) -> bool:
        """Whether it has been evaluated on every split."""
        return all((self._at(cell) / split / "results.json").is_file() for split in (CHOICE, *self.splits))

    def evaluations(self, split: str) -> dict[str, seeds.System]:
        """System -> its evaluations on a split: what is not trained, and cells of the chosen rate and all seeds."""
        found: dict[str, seeds.System] = {
            name: folder / split
            for name, folder in self._baselines().items()
            if (folder / split / "results.json").is_file()
        }
        for system in self.systems():
            rate = self.rate(*system)
            cells = [] if rate is None else [Cell(*system, rate, seed) for seed in self.given.seeds]
            if cells and all(self.done(cell) for cell in cells):
                name = cells[0].system
                found[name] = seeds.trained(name, [self._at(cell) / split for cell in cells])
        return found

    def baselines(self) -> None:
        """Evaluate what is not trained here and was asked for: BM25, the models of the teachers, and the starts."""
        made = self.prepared
        started = {"cut": str(made.cut), "aligned": str(made.aligned), QUERIES: str(made.aligned)}
        models: dict[str, str | None] = {"dense": DENSE, "bm25": None}
        models |= {start: started[start] for start in self.given.starts}
        models |= {"sparse": SPARSE} if "ensemble" in self.given.teachers else {}
        if "taught" in self.given.teachers:
            models["taught"] = str(made.taught)
        for name, folder in self._baselines().items():
            if name in models:
                self._evaluate(models[name], folder, name, name == QUERIES)

    def report(self) -> dict[str, Any]:
        """The tables of the splits, as JSON values: each start's systems against contrastive training, and itself."""
        found: dict[str, Any] = {"settings": self.settings, "teachers": self._judged(), "rates": self._rates()}
        found["seconds"] = self._seconds()
        for split in (CHOICE, *self.splits):
            systems = self.evaluations(split)
            found[split] = {}
            for start in self.given.starts:
                own = {name: one for name, one in systems.items() if name.startswith(f"{start}:")}
                beside = {name: one for name, one in systems.items() if ":" not in name}
                for baseline in (f"{start}: {CONTRASTIVE}", start):
                    if baseline in systems and own:
                        print(f"\n== {self.prepared.folder.name}, {split}, from {start}, against {baseline}")
                        found[split][baseline] = seeds.compared(beside | own, baseline)
        return found

    def _baselines(self) -> dict[str, Path]:
        root = self.prepared.folder / "baselines"
        names = ("bm25", "dense", "sparse", "cut")
        found = {name: root / name for name in names} | {"aligned": root / f"aligned-{self.given.align_steps}"}
        found |= {QUERIES: root / f"queries-{self.given.align_steps}"}
        return found | {"taught": root / f"taught-{self.given.taught_steps}"}

    def _make(self, cell: Cell) -> None:
        if self.done(cell):
            return
        folder = self._at(cell)
        try:
            with files.exclusive(folder):
                self._train(cell, folder)
        except LockedError:
            print("another process is at", folder.name, flush=True)

    def _train(self, cell: Cell, folder: Path) -> None:
        made, started = self.prepared, time.perf_counter()
        steps, objective = self.given.steps, self.objectives[cell.objective]
        start = str(made.cut if cell.start == "cut" else made.aligned)
        every = {"steps": steps, "eval_steps": steps, "log_steps": gcd(20, steps)}
        trained_with: dict[str, Any] = {"learning_rate": cell.rate, "seed": cell.seed, **every}
        alone = cell.start == QUERIES
        if objective.texts:
            texts = self.given.batch_size * (1 if alone else 2 + self.given.negatives)
            settings = {**ALIGNMENT, **objective.settings, **trained_with, "batch_size": texts}
            student = rankdistill.train(None, made.vectors, start, folder / "student", **settings)
        else:
            teacher = made.teacher("dense" if cell.teacher == LABELS else cell.teacher)
            settings = self.settings | settings_of(objective, teacher) | trained_with
            if alone:
                settings |= {"document_tower": str(made.vectors.path), "negatives": self.given.tower_negatives}
            store, scored_by = teacher.store, teacher.teacher_id
            student = rankdistill.train(
                made.dataset, store, start, folder / "student", split="train", teacher=scored_by, **settings
            )
        trained = time.perf_counter()
        self._evaluate(str(student.path), folder, cell.system, alone)
        seconds = {"training": trained - started, "evaluation": time.perf_counter() - trained}
        told = {"clipped_steps": student.log.get("clipped_steps"), "seconds": seconds}
        files.write_text(folder / "cell.json", json.dumps(told, indent=1) + "\n")
        if not self.given.keep:
            emptied(folder / "student")
        values = {split: round(self.value(cell, split), 4) for split in (CHOICE, *self.splits)}
        print(made.folder.name, folder.name, values, told, flush=True)

    def _evaluate(self, model: str | None, folder: Path, name: str, queries: bool = False) -> None:
        """On every split, in an exact index of the whole collection: the dense teacher's where the model embeds
        `queries` alone, else its own, which is not kept.
        """
        dataset = self.prepared.dataset
        missing = [split for split in (CHOICE, *self.splits) if not (folder / split / "results.json").is_file()]
        if not missing:
            return
        if model is None:
            for split in missing:
                rankdistill.evaluate(dataset, "bm25", folder / split, split=split, name=name)
            return
        index: Any = self.prepared.dense_index
        if name == "taught":
            index = self.prepared.taught_index
        elif model != DENSE and not queries:
            emptied(folder / "index")
            index = rankdistill.index(dataset, model, folder / "index", max_length=DOCUMENT_TOKENS, snippets=0)
        for split in missing:
            rankdistill.evaluate(dataset, model, folder / split, index=index, split=split, name=name)
        emptied(folder / "index")

    def _judged(self) -> dict[str, Any]:
        """What the members of the ensemble and it are worth on `choice`, where it was asked for."""
        return self.prepared.judged if "ensemble" in self.given.teachers else {}

    def _rates(self) -> dict[str, dict[str, float]]:
        """System -> rate -> nDCG@10 on `choice` of the first seed."""
        found = {}
        for system in self.systems():
            cells = [Cell(*system, rate, self.given.seeds[0]) for rate in self.given.rates]
            found[cells[0].system] = {f"{cell.rate:g}": self.value(cell) for cell in cells if self.done(cell)}
        return found

    def _seconds(self) -> dict[str, float]:
        """Means over the cells that are done."""
        folders = dict.fromkeys((self._folder, self._queries))
        told = [json.loads(file.read_text()) for folder in folders for file in sorted(folder.glob("*/cell.json"))]
        parts = ("training", "evaluation")
        return {part: sum(one["seconds"][part] for one in told) / len(told) for part in parts} if told else {}

    def _at(self, cell: Cell) -> Path:
        words = f"{cell.start} {cell.objective} {cell.teacher} {cell.rate:g} {cell.seed}"
        return (self._queries if cell.start == QUERIES else self._folder) / words.replace(",", "").replace(" ", "-")


def settings_of(objective: Objective, teacher: Teacher) -> dict[str, Any]:
    """What an objective sets for this teacher: its temperatures are half the deviation of its scores of a query.

    A loss that has a temperature for the teacher alone takes the student's similarities as logits: its scale is then
    the inverse of the same.
    """
    found = dict(objective.settings)
    asked = inspect.signature(load(LOSSES[found["loss"]].function)).parameters
    if "teacher_temperature" in asked:
        temperature = teacher.deviation / 2
        with_student = "student_temperature" in asked
        found |= {"teacher_temperature": temperature}
        found |= {"student_temperature": temperature} if with_student else {"scale": 1 / temperature}
    if found.get("auxiliary_head_weight"):
        found |= {"teacher_temperature": teacher.deviation / 2, "student_temperature": teacher.deviation / 2}
    if objective.in_batch:
        found["in_batch_teacher"] = teacher.in_batch
    if found.get("alignment_weight"):
        found["alignment_teacher"] = teacher.vectors
    return found


def _says(part: str, name: str) -> bool:
    """Whether a word of `--only` means this objective: `=NAME` the one of that name, else each whose name holds it."""
    return part[1:] == name if part.startswith("=") else part in name


def _value(folder: Path) -> float:
    return float(json.loads((folder / "results.json").read_text())[MEASURE])


def add_arguments(parser: argparse.ArgumentParser, teachers: Sequence[str], starts: Sequence[str], work: str) -> None:
    """What every benchmark of cells is asked; `teachers`, `starts` and `work` are its defaults."""
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, default=Path(work))
    parser.add_argument("--sets", type=_names, default=list(SETS), help=f"of {', '.join(SETS)}")
    parser.add_argument("--only", type=_names, help="objectives whose names hold one of these")
    parser.add_argument("--teachers", type=_names, default=list(teachers), help=f"of {', '.join(TEACHERS)}")
    parser.add_argument("--starts", type=_names, default=list(starts), help=f"of {', '.join(STARTS)}")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--negatives", type=int, default=1, help="own ones of a query; the batch has the others")
    parser.add_argument("--tower-negatives", type=int, default=40, help="the same where documents are not trained")
    parser.add_argument("--align-steps", type=int, default=600)
    parser.add_argument("--taught-steps", type=int, default=100, help="of the teacher that learns from labels")
    parser.add_argument("--rates", type=_numbers, default=[1e-4, 3e-4], help="learning rates to choose from")
    parser.add_argument("--queries", type=int, default=3000, help="training queries at most")
    parser.add_argument("--choice", type=int, default=200, help="training queries that are kept to choose on")
    parser.add_argument("--keep", action="store_true", help="keep the students")
    parser.add_argument("--report", action="store_true", help="print what is done, train nothing")
    seeds.add_argument(parser)


def run(given: argparse.Namespace, objectives: Mapping[str, Objective]) -> Iterator[tuple[str, Cells]]:
    """Make what is missing of each collection, then give (its name, its cells)."""
    for called in given.sets:
        place = (given.data / called, given.work / called)
        prepared = PreparedSet(*place, given.queries, given.choice, given.align_steps, given.taught_steps)
        cells = Cells(prepared, SETS.get(called, ("test",)), given, objectives)
        if not given.report:
            prepared.prepare(given.teachers)
            cells.baselines()
            cells.run()
        yield called, cells


def asked(given: argparse.Namespace) -> dict[str, Any]:
    """The arguments that decide what the cells are, for a file of results."""
    named = ("steps", "batch_size", "negatives", "tower_negatives", "align_steps", "taught_steps", "queries", "choice")
    return {"asked": {key: getattr(given, key) for key in (*named, "rates")}, "seeds": [*given.seeds]}


def _names(words: str) -> list[str]:
    return [word.strip() for word in words.split(",")]


def _numbers(words: str) -> list[float]:
    return [float(word) for word in words.split(",")]
