"""Running a recipe: the stale steps, then the report."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from rankdistill import files
from rankdistill.evaluation import comparing, report
from rankdistill.evaluation.results import Results
from rankdistill.recipe.experiment import Experiment
from rankdistill.recipe.schema import Recipe
from rankdistill.recipe.steps import Progress, Step, Times, execute
from rankdistill.recipe.systems import INITIAL, Systems, all_steps

REPORT_FILE = "report.html"


def run(recipe: Recipe, on_step: Callable[[Step], Progress], command: str = "") -> list[Results]:
    """Do what is stale, and write `results.json` and `report.html` into the recipe's folder.

    Killed at any instant, it takes up where it was. With several test splits, the first one's files have these names
    and the others lie in a folder named for the split.

    Args:
        recipe: the experiment.
        on_step: called before each step that runs; gives its progress callback.
        command: the command line, for manifests and the report.

    Returns:
        The results of each test split, the baseline being the student before training.

    Raises:
        LockedError: another process runs in the same folder.
        RankdistillError: whatever a step raises.
    """
    experiment = Experiment(recipe, command)
    with files.exclusive(experiment.root):
        execute(all_steps(experiment), on_step)
        return [_report(experiment, split) for split in recipe.data.test]


def _report(experiment: Experiment, split: str) -> Results:
    recipe = experiment.recipe
    evaluations = Systems(experiment).evaluations(split)
    results = comparing.compare(
        [step.folder for step in evaluations.values()],
        evaluations[INITIAL].folder,
        title=f"{recipe.name}, {split}",
        command=experiment.command,
    )
    order = list(evaluations)
    trained = set(recipe.variants)
    costs = _teacher_costs(experiment)
    systems = [
        system.model_copy(update=costs if system.name in trained else {})
        for system in sorted(results.systems, key=lambda system: _place(system.name, order))
    ]
    results = results.model_copy(
        update={"systems": systems, "signature": {**results.signature, "recipe": recipe.model_dump()}}
    )
    folder = _folder(experiment.root, split, recipe.data.test)
    results.write(folder)
    report.write_html(results, folder / REPORT_FILE)
    return results


def _teacher_costs(experiment: Experiment) -> dict[str, float | int]:
    """What the students' teacher cost: seconds of teaching and scoring, and the number of stored scores."""
    from rankdistill.stores.reader import ScoreStore

    times = Times(experiment.root)
    steps = [step for step in (experiment.teacher, experiment.scores) if step is not None]
    seconds = sum(times.of(step) or 0.0 for step in steps)
    return {"teacher_seconds": seconds, "teacher_pairs": ScoreStore(experiment.scores.folder).count()}


def _place(name: str, order: list[str]) -> int:
    return order.index(name) if name in order else len(order)


def _folder(root: Path, split: str, splits: list[str]) -> Path:
    return root if split == splits[0] else root / split
