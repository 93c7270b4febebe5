"""What is made of a finished run: the bundle, its index, and the verdict on both."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any

from rankdistill import files, integrity, locations, manifest, models
from rankdistill.errors import StaleOutputError
from rankdistill.notes import note
from rankdistill.recipe.distilling.layout import Layout
from rankdistill.recipe.distilling.stages import Placed
from rankdistill.recipe.staged.run import StagedRun

if TYPE_CHECKING:
    from rankdistill.verbs.compare import Results


def make_bundle(made: StagedRun, layout: Layout, onnx: bool, placed: Placed, command: str) -> None:
    """The student as both towers: training on scores moves it out of the teacher's space, and it embeds documents too.

    The bundle holds it as document model, so that it may be carried away and new documents embedded.
    """
    from rankdistill.verbs.bundle import bundle

    student = made.experiment.scored.student(_training(made)).folder
    placed.begin(f"bundle{', with int8 and float32 ONNX files' if onnx else ''}")
    there = manifest.read(layout.bundle)
    if (
        there is not None
        and there.inputs.get("query_model") == models.resolve(str(student)).weights_hash
        and integrity.is_whole(layout.bundle)
    ):
        return  # made by a call from another folder, where the student had another name
    bundle(
        student,
        student,
        layout.bundle,
        include_document_model=True,
        onnx=onnx,
        router=False,
        progress=placed,
        command=command,
    )


def copy_index(made: StagedRun, layout: Layout, placed: Placed) -> None:
    """The run's index of all documents by the student, which the bundle searches.

    Raises:
        StaleOutputError: another one lies there.
    """
    source = made.experiment.scored.index(_training(made)).folder
    placed.begin("index")
    there = manifest.read(layout.index)
    if there is not None or layout.index.exists():
        ours = manifest.read(source)
        if there is not None and ours is not None and there.identity == ours.identity:
            if integrity.is_whole(layout.index):
                return
            note(f"{layout.index} is damaged: it is copied again")
            files.remove_folder(layout.index)
            there = None
    if there is not None or layout.index.exists():
        raise StaleOutputError(
            expected=f"{layout.index} to be absent, or the index of this run",
            got="another index" if there is not None else "something else",
            consequence="nothing was changed: what lies there is kept",
            remedy="remove it, or name another folder: --out FOLDER",
        )
    for left in layout.root.glob(f"{files.TEMPORARY_PREFIX}*-{layout.index.name}"):
        files.remove_folder(left)
    temporary = files.temporary_of(layout.index)
    with files.output_errors(layout.index), placed.stage("index", "files") as done:
        shutil.copytree(source, temporary, ignore=lambda *_: [files.LOCK_NAME])
        os.replace(temporary, layout.index)
        done(len(locations.all_files(layout.index)))


def judge(made: StagedRun, results: Results, layout: Layout, onnx: bool, placed: Placed, command: str) -> Results:
    """Write the report with the verdict, also on the int8 file where there shall be one; the folder is held."""
    from rankdistill.verbs.compare import write
    from rankdistill.verbs.verdict import verdict

    recipe = made.recipe
    placed.begin("verdict")
    student = recipe.trainings[_training(made)].variant
    of_file: dict[str, Any] = {}
    if onnx:
        dataset, split = made.experiment.scored.dataset, recipe.data.test[0]
        of_file = {"bundle": layout.bundle, "data": dataset, "split": split, "index": layout.index}
    return write(verdict(results, name=student, **of_file, progress=placed, command=command), layout.root)


def is_whole(layout: Layout) -> bool:
    """Whether everything lies there."""
    artefacts = all(map(integrity.is_whole, (layout.bundle, layout.index)))
    return artefacts and layout.results.is_file() and layout.report.is_file()


def _training(made: StagedRun) -> str:
    """The training whose student is shipped: the first."""
    return next(iter(made.recipe.trainings))
