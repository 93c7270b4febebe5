"""What an evaluation on mteb's tasks gave, as it lies in its folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rankdistill import integrity, locations, manifest, plain_json
from rankdistill.display import Shown, Table
from rankdistill.errors import DataError
from rankdistill.evaluation.measures import MEASURES, TITLES
from rankdistill.evaluation.results import TOLERANCE, Evaluation

if TYPE_CHECKING:
    import polars as pl

ARTEFACT, TASK = "task evaluations", "task evaluation"
"""What manifests call all of it, and one task."""

LEFT_OUT = "queries_without_relevant"
"""In a task's manifest: split -> queries that mteb leaves out."""

RESULTS, META, SETTINGS = "results", "model_meta.json", "run_settings.jsonl"
"""The folder of results of mteb, and what lies in it beside a file a task."""


@dataclass(frozen=True, repr=False)
class TaskEvaluations(Shown):
    """A system on tasks of mteb; it prints as a table with a row a task and split.

    Args:
        path: its folder.
        files: mteb's own: `<path>/results/<organisation__model>/<revision>`.
        name: what mteb calls the model.
        revision: of it.
        results: task -> content of mteb's file of it.
    """

    path: Path
    files: Path
    name: str
    revision: str
    results: Mapping[str, Mapping[str, Any]]

    def __fspath__(self) -> str:
        return str(self.path)

    def __repr__(self) -> str:
        return f"TaskEvaluations({str(self.path)!r}: {self.name}, {', '.join(self.results)})"

    @classmethod
    def read(cls, folder: Path) -> TaskEvaluations:
        """What lies in `folder`.

        Raises:
            DataError: it is no folder of `rankdistill evaluate --tasks`, or a file of it cannot be read.
        """
        manifest.expect(folder, ARTEFACT, "evaluate --tasks")
        metas = locations.listing(folder / RESULTS, f"*/*/{META}")
        if len(metas) != 1:
            raise _damaged(folder / RESULTS, f"{len(metas)} files {META}")
        try:
            meta = plain_json.loads(integrity.read_text(metas[0]))
            found = {
                path.stem: plain_json.loads(integrity.read_text(path))
                for path in locations.listing(metas[0].parent, "*.json")
                if path.name != META
            }
            return cls(folder, metas[0].parent, str(meta["name"]), str(meta["revision"]), found)
        except (OSError, ValueError, KeyError) as error:
            raise _damaged(metas[0].parent, f"{type(error).__name__}: {error}") from error

    def evaluation(self, task: str, split: str) -> Path:
        """The folder of the evaluation on one split, for `compare`, `verdict` and `fuse`."""
        return self.path / task / split

    def require_agreement(self) -> None:
        """Raise DataError if mteb's files say something else than the evaluations beside them.

        mteb leaves out queries without a relevant document, which count 0 here; that is allowed for.
        """
        for task, split, blocks in self._blocks():
            folder = self.evaluation(task, split)
            ours = Evaluation.read(folder)
            made = manifest.expect(folder.parent, TASK, "evaluate --tasks")
            left_out = made.parameters[LEFT_OUT][split]
            counted = ours.queries / max(1, ours.queries - left_out)
            for name in MEASURES:
                mean = ours.system.measures[name] * counted
                if not abs(mean - blocks[0][name]) <= TOLERANCE:
                    raise DataError(
                        expected=f"{name} {mean:.5f} of {task}, {split}, as {folder} has it",
                        got=f"{blocks[0][name]:.5f} in {self.files / task}.json",
                        consequence="the results are written, but one of these numbers is wrong",
                        remedy="evaluate into an empty folder; a file that was edited is made anew so",
                    )

    def tables(self) -> list[Table]:
        """A row a task and split: the task's main measure, and ours."""
        rows = [
            [task, split, f"{blocks[0]['main_score']:.5f}", *(f"{blocks[0][name]:.4f}" for name in TITLES)]
            for task, split, blocks in self._blocks()
        ]
        return [Table(f"{self.name}, revision {self.revision}", ["task", "split", "main", *TITLES.values()], rows, 2)]

    def lines(self) -> list[str]:
        """Where the files for mteb lie."""
        return [str(self.files)]

    def to_polars(self) -> pl.DataFrame:
        """task, split, measure, value: every number of mteb's files."""
        import polars as pl

        rows = [
            (task, split, name, float(value))
            for task, split, blocks in self._blocks()
            for name, value in blocks[0].items()
            if isinstance(value, int | float)
        ]
        schema = {"task": pl.String, "split": pl.String, "measure": pl.String, "value": pl.Float64}
        return pl.DataFrame(rows, schema=schema, orient="row")

    def to_json(self) -> dict[str, Any]:
        """Folder, name, revision, and of each task and split the main score and our measures."""
        found: dict[str, dict[str, Any]] = {}
        for task, split, blocks in self._blocks():
            names = ("main_score", *TITLES)
            found.setdefault(task, {})[split] = {name: blocks[0][name] for name in names}
        return {
            "evaluations": str(self.path),
            "results": str(self.files),
            "name": self.name,
            "revision": self.revision,
            "tasks": found,
        }

    def _blocks(self) -> list[tuple[str, str, Any]]:
        return [
            (task, split, blocks)
            for task, content in self.results.items()
            for split, blocks in content["scores"].items()
        ]


def _damaged(path: Path, got: str) -> DataError:
    return DataError(
        expected="the results of one model, as `rankdistill evaluate --tasks` writes them",
        got=f"{path}: {got}",
        consequence="nothing was read",
        remedy="run the same `rankdistill evaluate` into an empty folder",
    )
