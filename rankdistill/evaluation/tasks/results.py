"""What an evaluation on mteb's tasks gave, as it lies in its folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from rankdistill import integrity, locations, manifest, plain_json
from rankdistill.display import Shown, Table
from rankdistill.errors import DataError
from rankdistill.evaluation.measures import MEASURES, TITLES
from rankdistill.evaluation.results import TOLERANCE, Evaluation
from rankdistill.manifest import Manifest

if TYPE_CHECKING:
    import polars as pl

ARTEFACT, TASK = "task evaluations", "task evaluation"
"""What manifests call all of it, and one task."""

LEFT_OUT = "queries_without_relevant"
"""In a task's manifest: split -> queries that mteb leaves out; of a task with subsets subset -> split -> the same."""

RESULTS, META, SETTINGS = "results", "model_meta.json", "run_settings.jsonl"
"""The folder of results of mteb, and what lies in it beside a file a task."""


SUBSET, WITHOUT = "hf_subset", "default"
"""Field of a block of mteb's files, and what it is in those of a task without subsets."""


def folder_of_subset(task: Path, subset: str) -> Path:
    """Where, in the folder of a task, the evaluations of a subset lie, by split."""
    return task if subset == WITHOUT else task / subset


def parts_of(folder: Path) -> dict[Path, Manifest]:
    """The folders of the finished tasks in one of such, each with its manifest: each may be of another call.

    Raises:
        DataError: the manifest of a task is damaged.
    """
    places = (path.parent for path in locations.listing(folder, f"*/{manifest.FILE_NAME}"))
    found = {place: manifest.read(place) for place in places}
    return {place: made for place, made in found.items() if made is not None and made.artefact == TASK}


@dataclass(frozen=True, repr=False)
class TaskEvaluations(Shown):
    """A system on tasks of mteb; it prints as a table with a row a task, subset and split.

    Of a task with subsets a row more has their mean, as mteb takes it: all count alike.

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

    def evaluation(self, task: str, split: str, subset: str = WITHOUT) -> Path:
        """Folder of the evaluation on a split (of a subset, where there are), for `compare`, `verdict` and `fuse`."""
        return folder_of_subset(self.path / task, subset) / split

    def require_agreement(self) -> None:
        """Raise DataError if mteb's files say something else than the evaluations beside them.

        mteb leaves out queries without a relevant document, which count 0 here; that is allowed for.
        """
        for task, split, block in self._blocks():
            folder = self.evaluation(task, split, block[SUBSET])
            ours = Evaluation.read(folder)
            made = manifest.expect(self.path / task, TASK, "evaluate --tasks")
            left_out = made.parameters[LEFT_OUT]
            left_out = left_out[split] if block[SUBSET] == WITHOUT else left_out[block[SUBSET]][split]
            counted = ours.queries / max(1, ours.queries - left_out)
            for name in MEASURES:
                mean = ours.system.measures[name] * counted
                if not abs(mean - block[name]) <= TOLERANCE:
                    raise DataError(
                        expected=f"{name} {mean:.5f} of {task}, {split}, as {folder} has it",
                        got=f"{block[name]:.5f} in {self.files / task}.json",
                        consequence="the results are written, but one of these numbers is wrong",
                        remedy="evaluate into an empty folder; a file that was edited is made anew so",
                    )

    def tables(self) -> list[Table]:
        """A row a task, subset and split: the task's main measure, and ours; and the means of the subsets."""
        divided = any(block[SUBSET] != WITHOUT for _, _, block in self._blocks())
        rows = []
        for task, content in self.results.items():
            for split, blocks in content["scores"].items():
                named = [("" if block[SUBSET] == WITHOUT else block[SUBSET], block) for block in blocks]
                if len(blocks) > 1:
                    named.append((f"mean of {len(blocks)}", mean_of(blocks)))
                for subset, block in named:
                    figures = [f"{block['main_score']:.5f}", *(f"{block[name]:.4f}" for name in TITLES)]
                    rows.append([task, *([subset] if divided else []), split, *figures])
        header = ["task", *(["subset"] if divided else []), "split", "main", *TITLES.values()]
        return [Table(f"{self.name}, revision {self.revision}", header, rows, header.index("main") - 1)]

    def lines(self) -> list[str]:
        """Where the files for mteb lie."""
        return [str(self.files)]

    def to_polars(self) -> pl.DataFrame:
        """task, subset, split, measure, value: every number of mteb's files; `default` where a task has no subsets."""
        import polars as pl

        rows = [
            (task, block[SUBSET], split, name, float(value))
            for task, split, block in self._blocks()
            for name, value in block.items()
            if isinstance(value, int | float)
        ]
        of_text = dict.fromkeys(("task", "subset", "split", "measure"), pl.String)
        return pl.DataFrame(rows, schema={**of_text, "value": pl.Float64}, orient="row")

    def to_json(self) -> dict[str, Any]:
        """Folder, name, revision, and of each task and split the main score and our measures.

        Of a task with subsets these are their means, and `subsets` has those of each.
        """
        found: dict[str, dict[str, Any]] = {}
        for task, content in self.results.items():
            for split, blocks in content["scores"].items():
                told = found.setdefault(task, {})[split] = _told(mean_of(blocks))
                if blocks[0][SUBSET] != WITHOUT:
                    told["subsets"] = {block[SUBSET]: _told(block) for block in blocks}
        return {
            "evaluations": str(self.path),
            "results": str(self.files),
            "name": self.name,
            "revision": self.revision,
            "tasks": found,
        }

    def _blocks(self) -> list[tuple[str, str, Any]]:
        """(task, split, the numbers of a subset), in the order of mteb's files."""
        return [
            (task, split, block)
            for task, content in self.results.items()
            for split, blocks in content["scores"].items()
            for block in blocks
        ]


def mean_of(blocks: Sequence[Mapping[str, Any]]) -> Mapping[str, float]:
    """The mean over the subsets of a split of the main score and of our measures; mteb counts each subset alike."""
    return {name: fmean(block[name] for block in blocks) for name in ("main_score", *TITLES)}


def _told(block: Mapping[str, float]) -> dict[str, Any]:
    return {name: block[name] for name in ("main_score", *TITLES)}


def _damaged(path: Path, got: str) -> DataError:
    return DataError(
        expected="the results of one model, as `rankdistill evaluate --tasks` writes them",
        got=f"{path}: {got}",
        consequence="nothing was read",
        remedy="run the same `rankdistill evaluate` into an empty folder",
    )
