"""What the checks of a publication look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from rankdistill import locations, manifest, plain_json
from rankdistill.bundles.layout import ROUTER, is_bundle
from rankdistill.data import Dataset
from rankdistill.errors import DataError, RankdistillError
from rankdistill.evaluation.footprint import Footprint
from rankdistill.evaluation.results import Evaluation
from rankdistill.evaluation.systems import Latency
from rankdistill.evaluation.tasks import catalogue
from rankdistill.evaluation.tasks.results import ARTEFACT, META, RESULTS, SUBSET, WITHOUT, folder_of_subset
from rankdistill.publishing.disclosure import Disclosure
from rankdistill.publishing.leakage.scanning import Scan
from rankdistill.publishing.lineage import Lineage
from rankdistill.publishing.settings import Details


class Judged(NamedTuple):
    """What one set of numbers of a task is of.

    Args:
        subset: of the task; `default` where it has none.
        split: of the subset.
    """

    subset: str
    split: str

    @property
    def title(self) -> str:
        """What lines call it: the split, with the subset where there is one."""
        return self.split if self.subset == WITHOUT else f"{self.subset}, {self.split}"


@dataclass(frozen=True)
class TaskFile:
    """mteb's file of one task, with what it was computed from.

    Args:
        name: of the task.
        path: of the file.
        content: of the file.
        task: mteb's own task, without data.
        evaluations: test -> the evaluation beside it; without those that are gone.
        datasets: subset -> its data; without those that were not found.
    """

    name: str
    path: Path
    content: Mapping[str, Any]
    task: Any
    evaluations: Mapping[Judged, Evaluation]
    datasets: Mapping[str, Dataset] = field(default_factory=dict)

    @property
    def splits(self) -> list[str]:
        """Those that it has scores of."""
        return list(self.content.get("scores", {}))

    @property
    def root(self) -> Path:
        """The folder of `evaluate --tasks`."""
        return self.path.parents[3]

    @property
    def blocks(self) -> list[tuple[Judged, Mapping[str, Any]]]:
        """(test, its scores), in the order of the file."""
        return [
            (Judged(str(block.get(SUBSET, WITHOUT)), split), block)
            for split, blocks in self.content.get("scores", {}).items()
            for block in blocks
        ]

    @property
    def tests(self) -> list[Judged]:
        """What it has scores of."""
        return [test for test, _ in self.blocks]

    @property
    def is_at_hand(self) -> bool:
        """Whether the data of all of them were found."""
        return all(test.subset in self.datasets for test in self.tests)

    @property
    def known(self) -> list[tuple[Judged, Dataset]]:
        """The tests whose data were found, and have that split."""
        held = ((test, self.datasets.get(test.subset)) for test in self.tests)
        return [(test, dataset) for test, dataset in held if dataset is not None and test.split in dataset.splits]


@dataclass
class Evidence:
    """All that is known of a student and its results before it is published.

    Args:
        student: its folder, or that of its bundle.
        name: `ORGANISATION/MODEL`; a working name where nobody gave one.
        revision: of its content.
        commit: that it has on the hub; None before it is there.
        details: what its publisher says.
        tasks: mteb's files of its results.
        metas: content of each `model_meta.json` beside these.
        lineage: what it comes from.
        disclosure: training data that follow from it.
        scans: (task, test) -> leaks; absent where there was nothing to scan.
        prompts: role -> what the model puts before a text.
        meta: mteb's `ModelMeta`, as it will be published.
        mock: what mteb's mock run gave: task -> why it failed; None where it was not run.
        mocked: how many mock tasks it ran.
        footprint: bytes and parameters.
        latency: of one text, encoded alone.
    """

    student: Path
    name: str
    revision: str
    details: Details
    tasks: Sequence[TaskFile]
    metas: Mapping[Path, Mapping[str, Any]]
    lineage: Lineage
    disclosure: Disclosure
    scans: Mapping[tuple[str, Judged], Scan]
    prompts: Mapping[str, str]
    meta: Any
    footprint: Footprint
    commit: str | None = None
    mock: Mapping[str, str] | None = None
    mocked: int = 0
    latency: Latency | None = None
    notes: list[str] = field(default_factory=list)


def model_folder(student: Path) -> Path:
    """The model that is published: the student, or the router of a bundle.

    Raises:
        DataError: a bundle without a router.
    """
    if not is_bundle(str(student)):
        return student
    if not (student / ROUTER / "modules.json").is_file():
        raise DataError(
            expected="a bundle with both towers as one model",
            got=f"{student}, which was made with --no-router",
            consequence="nothing was published: no library loads it as one model",
            remedy="make it again with `rankdistill bundle`",
        )
    return student / ROUTER


def task_files(folders: Sequence[Path], data_root: Path | None) -> tuple[list[TaskFile], dict[Path, Any]]:
    """Files of mteb in folders of `evaluate --tasks`, and the `model_meta.json` beside them.

    Args:
        folders: of `evaluate --tasks`.
        data_root: folder with a collection a task; None: what `evaluate --tasks` fetched.

    Raises:
        DataError: no such folder, a file that cannot be read, no result, or two of one task.
        ConfigError: results of a task that mteb has not, or that is not evaluated here.
    """
    found: dict[str, TaskFile] = {}
    metas: dict[Path, Any] = {}
    for folder in folders:
        manifest.expect(folder, ARTEFACT, "evaluate --tasks")
        for path in locations.listing(folder / RESULTS, "*/*/*.json"):
            content = _json(path)
            if path.name == META:
                metas[path] = content
                continue
            if path.stem in found:
                raise _unusable("one result of each task", f"{path.stem} in {found[path.stem].path} and {path}")
            task = catalogue.task_of(path.stem)
            one = TaskFile(path.stem, path, content, task, {})
            evaluations = _evaluations(folder / path.stem, one.tests)
            found[path.stem] = replace(one, evaluations=evaluations, datasets=_datasets(one, data_root))
    if not found:
        raise _unusable("results of mteb's tasks", "none")
    return list(found.values()), metas


def _datasets(one: TaskFile, data_root: Path | None) -> dict[str, Dataset]:
    from rankdistill.evaluation.tasks import local_data

    found = {}
    for subset in dict.fromkeys(test.subset for test in one.tests):
        with suppress(RankdistillError):
            folder = (
                catalogue.cached(one.task, subset)
                if data_root is None
                else catalogue.folder_of(data_root, one.name, subset)
            )
            found[subset] = local_data.load_for(one.task, folder, [])
    return found


def _evaluations(task: Path, tests: Sequence[Judged]) -> dict[Judged, Evaluation]:
    found = {}
    for test in tests:
        folder = folder_of_subset(task, test.subset) / test.split
        if manifest.read(folder) is not None:
            found[test] = Evaluation.read(folder)
    return found


def _json(path: Path) -> Any:
    try:
        content = plain_json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(content, dict):
            raise ValueError(f"{type(content).__name__}, no object")
    except (OSError, ValueError) as error:
        raise _unusable("a JSON object", f"{path}: {error}") from error
    return content


def _unusable(expected: str, got: str) -> DataError:
    return DataError(
        expected=expected,
        got=got,
        consequence="nothing was published",
        remedy="evaluate again: rankdistill evaluate --model STUDENT --tasks NAME,NAME --data-root DIR --out RESULTS",
    )
