"""`tune`: a search over the settings of a recipe, judged on dev."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rankdistill import files, integrity, locations, manifest, models
from rankdistill._extras import require
from rankdistill.errors import (
    ConfigError,
    ExecutorError,
    OutputError,
    RankdistillError,
    RemoteError,
    StaleOutputError,
)
from rankdistill.notes import note, once
from rankdistill.progress import ProgressLike, Reporter, reporter_of
from rankdistill.recipe.choosing import writing
from rankdistill.recipe.leaf.schema import STATIC, LeafRecipe
from rankdistill.recipe.loading import AnyRecipe
from rankdistill.recipe.run import read, trackers
from rankdistill.recipe.steps import Step, execute
from rankdistill.recipe.tuning import space as spaces
from rankdistill.recipe.tuning.report import BEST, Tuned
from rankdistill.recipe.tuning.space import Space
from rankdistill.recipe.tuning.study import ASKED, JOURNAL, Search, now
from rankdistill.recipe.tuning.subject import Subject
from rankdistill.recipe.tuning.watching import Watching
from rankdistill.verbs.arguments import Place, place_of, require_range
from rankdistill.verbs.contract import verb
from rankdistill.verbs.settings import measures, require_trackers

ARTEFACT = "tuning"
SUFFIX = "-tuned"
STUDY = "tuning"
"""In the folder of a search: the journal of its trials, and the report."""

SURROUNDINGS = (OutputError, RemoteError, ExecutorError)
"""Errors that are not of a trial's settings: a disk that is full, a bucket that does not answer, another process."""

GIVE_UP = 3
"""Trials that fail before any is judged: then the recipe, not its settings, is wrong."""

SECONDS_A_MINUTE = 60

WITHIN = 0.4142
"""The part of a range at which a number is tried that is neither an end nor a whole one."""


@verb
def tune(
    recipe: Place | Mapping[str, Any] | AnyRecipe,
    out: Place | None = None,
    *,
    trials: int = 20,
    metric: str = "ndcg_at_10",
    space: Place | Mapping[str, Any] | None = None,
    overrides: Sequence[str] = (),
    variant: str | None = None,
    minutes: float | None = None,
    prune: bool = True,
    keep: bool = False,
    seed: int = 0,
    progress: ProgressLike = False,
    command: str = "",
) -> Tuned:
    """Search the settings of one student of a recipe, each trial judged on the dev split, never on a test split.

    The first trial is the recipe as it is. The others are chosen by optuna's TPE sampler. Steps that a trial does not
    change are done once, and taken from the recipe's own run where that has them. A trial whose dev nDCG@10 falls below
    the median of the earlier ones at the same step is stopped. A killed search goes on with the same call, in the
    training that was interrupted; a call with more trials adds to it.

    Args:
        recipe: a YAML file, the name of a recipe that comes with the package, its settings, or a recipe that was read.
        out: folder of the search and of its steps; that of the recipe's run with `-tuned` behind unless given.
        trials: in all, those of earlier calls too.
        metric: `ndcg_at_10`, `recall_at_100`, `mrr_at_10` or `map_at_100` of the whole collection on dev; the mean over
            the recipe's seeds, and of a recipe on embeddings over its dev sets, asymmetric.
        space: a YAML file, or its settings: dotted setting -> list of values, or `low`, `high`, `log`, `whole`; with
            `when` only where other settings have one of some values. Unless given: losses, the teacher's temperature,
            the learning rate, sampling and number of negatives, layers, as they fit the recipe.
        overrides: changes of the recipe such as `train.steps=200`.
        variant: which student of the recipe; the first unless given.
        minutes: begin no further trial after so many.
        prune: stop trials that fall behind. Where the recipe looks at dev at the end alone, trials look four times.
        keep: keep the students of all trials; only the best one's and the recipe's stay unless given.
        seed: of the sampler.
        progress: True tells on standard error; or a function that takes the number of units just done.
        command: the command line, for manifests.

    Returns:
        The trials, what mattered, and the recipe with the best settings, `best.yaml`, which `run` finishes.

    Raises:
        ConfigError: an invalid recipe, space or metric, no such student, no dev split, or nothing to search.
        MissingDependencyError: optuna, or a tracker of the trainings, is not installed.
        StaleOutputError: `out` holds a search of something else.
        LockedError: another process works in `out`.
        RankdistillError: what the trials raise, where the first three fail.
    """
    require_range(1, trials=trials)
    require_range(0, minutes=minutes)
    _require_metric(metric)
    given = read(recipe, overrides)
    folder = given.folder.with_name(given.folder.name + SUFFIX) if out is None else place_of(out)
    subject = Subject.of(given, variant, folder, prune, command)
    chosen = _space(subject, space)
    own = subject.own(chosen)
    if lacking := spaces.lacking(chosen, own):
        said = ", ".join(f"{name} ({own[name]!r})" if name in own else name for name in lacking)
        note(f"no trial can have what the recipe has of {said}: none is the recipe as it is")
    require("optuna", "searching settings")
    require_trackers(trackers(given))
    study = files.make_folder(folder / STUDY)
    asked = {
        "recipe": {name: value for name, value in subject.content.items() if name != "out"},
        "space": {name: part.model_dump(mode="json") for name, part in chosen.items()},
        "metric": metric,
        "seed": seed,
        "prune": prune,
        "data": [step.key for step in subject.steps()[1]],
    }
    with files.exclusive(folder), models.remembering(), once():
        search = Search(study, asked, chosen, own, seed, prune)
        worker = _Worker(subject, search, metric, given.folder, reporter_of(progress), keep)
        worker.work(trials, None if minutes is None else now() + minutes * SECONDS_A_MINUTE)
        ended, importance = tuple(search.ended()), search.importance()
        tuned = Tuned(study, subject.student, metric, ended, importance, chosen, as_given=not lacking)
        if tuned.best is not None:
            _write_best(subject, tuned)
        tuned.write()
        _describe(study, asked, command, _made(subject, tuned))
    return tuned


def _require_metric(metric: str) -> None:
    if metric not in (known := measures()):
        raise ConfigError(
            expected=f"a measure: {', '.join(known)}",
            got=repr(metric),
            consequence="nothing was run",
            remedy="name one of those: --metric ndcg_at_10",
        )


def _space(subject: Subject, given: Place | Mapping[str, Any] | None) -> Space:
    """What may be chosen, with the recipe's own values; each choice is tried on the recipe before anything runs."""
    if given is None:
        found = spaces.default(subject.recipe, _layers(subject.recipe))
    else:
        found = spaces.parse(given, "the space given") if isinstance(given, Mapping) else spaces.read(place_of(given))
    found = spaces.with_own(found, subject.own(found))
    for name, part in found.items():
        fitting = {other: _fitting(found[other], allowed) for other, allowed in part.when.items()}
        values = part.choices if isinstance(part, spaces.Choice) else [_end(part, part.low), _end(part, part.high)]
        for value in values:
            subject.changed({**fitting, name: value}).recipe  # noqa: B018 - reading it checks it
        if isinstance(part, spaces.Range) and not part.whole:
            _require_any_number(subject, fitting, name, part)
    if all(isinstance(part, spaces.Choice) and len(part.choices) == 1 for part in found.values()):
        raise ConfigError(
            expected="a space with something to choose",
            got="one value of each setting",
            consequence="nothing was run",
            remedy="give two values or more, or a range",
        )
    return found


def _require_any_number(subject: Subject, fitting: Mapping[str, Any], name: str, part: spaces.Range) -> None:
    """Raise ConfigError where a setting takes the ends of a range, and no broken number between them."""
    within = part.low + (part.high - part.low) * WITHIN
    try:
        subject.changed({**fitting, name: within}).recipe  # noqa: B018 - reading it checks it
    except ConfigError as error:
        raise ConfigError(
            expected=f"a range of {name} of which the recipe takes every number",
            got=f"{part.low:g} to {part.high:g}, where {within:g} is refused: {error.got}",
            consequence="nothing was run: most trials would fail",
            remedy=f"for a setting of whole numbers add whole: true, as {{low: {part.low:g}, high: {part.high:g}, "
            "whole: true}; else give a list of values",
        ) from error


def _end(part: spaces.Range, value: float) -> float:
    return round(value) if part.whole else value


def _fitting(part: spaces.Choice | spaces.Range, allowed: Sequence[Any]) -> Any:
    """A value with which a setting that depends on this one is tried."""
    if isinstance(part, spaces.Choice):
        return next((value for value in part.choices if value in allowed), allowed[0])
    return allowed[0]


def _layers(recipe: AnyRecipe) -> int | None:
    """How many layers the model has that the student starts from."""
    from rankdistill.verbs.looking import look_at

    part = next(iter(recipe.students.values())) if isinstance(recipe, LeafRecipe) else recipe.student
    return None if part.model == STATIC or part.keep_layers is None else look_at(part.model).layers


class _Worker:
    """Does trials one after the other.

    Args:
        subject: the recipe.
        search: the study.
        metric: the measure.
        run: folder of the recipe's own run, whose steps are taken.
        reporter: is told.
        keep: whether the students of all trials stay.
    """

    def __init__(
        self, subject: Subject, search: Search, metric: str, run: Path, reporter: Reporter, keep: bool
    ) -> None:
        self.subject, self.search, self.metric = subject, search, metric
        self.run, self.reporter, self.keep = run, reporter, keep
        self.lasting = {step.folder.name for step in subject.steps()[0]}

    def work(self, trials: int, until: float | None) -> None:
        """Do trials until there are so many, or the time is over."""
        with self.reporter.stage("trials", "trials", trials) as stage:
            done = len(self.search.ended())
            stage(min(done, trials))
            while done < trials and (until is None or now() < until):
                self._do(self.search.next())
                stage(1)
                done += 1

    def _do(self, trial: Any) -> None:
        from optuna import TrialPruned

        started = now()
        settings = spaces.suggest(trial, self.search.space)
        try:
            subject = self.subject.changed(settings)
            steps, judging = subject.steps()
            self.search.makes(trial, [step.folder.name for step in steps if _is_of_student(step)])
            self._judge(trial, subject, steps)
            value = sum(_measure(step, self.metric) for step in judging) / len(judging)
        except TrialPruned:
            self.search.stopped(trial, now() - started)
        except RankdistillError as error:
            if isinstance(error, SURROUNDINGS) and not isinstance(error, StaleOutputError):
                raise  # the trial stays unfinished, and is the next one of the same command
            self.search.failed(trial, f"{type(error).__name__}: {error.got}", now() - started)
            ended = self.search.ended()
            if all(one.state == "failed" for one in ended) and len(ended) >= GIVE_UP:
                raise
            note(f"trial {ended[-1].number} failed: {error.got}")
        else:
            self.search.done(trial, value, now() - started)
        if not self.keep:
            self._clear()

    def _judge(self, trial: Any, subject: Subject, steps: Sequence[Step]) -> None:
        for step in steps:
            _take(step, self.run)

        def seen(at: int, value: float) -> None:
            from optuna import TrialPruned

            trial.report(value, at)
            if trial.number > 0 and trial.should_prune():
                raise TrialPruned

        execute(steps, Watching(self.reporter, subject.first_trained(steps).folder, seen))

    def _clear(self) -> None:
        """Remove what only losing trials made: students, their indexes and evaluations."""
        ended = self.search.ended()
        best = max((one for one in ended if one.state == "done"), key=lambda one: one.value or 0.0, default=None)
        lasting = self.lasting | set(best.steps if best is not None else ())
        root = Path(str(self.subject.content["out"])) / "steps"
        for name in {name for one in ended for name in one.steps} - lasting:
            files.remove_folder(root / name)


def _is_of_student(step: Step) -> bool:
    """Whether a step makes, indexes or evaluates a student; others are for every trial."""
    return step.name.startswith(("student-", "index-", "evaluate-"))


def _measure(step: Step, metric: str) -> float:
    from rankdistill.verbs.open import open

    return float(open(step.folder).system.measures[metric])


def _take(step: Step, run: Path) -> None:
    """Have a step's result from the recipe's own run, where it is whole there: the files themselves, not copies."""
    files.remove_temporaries_of(step.folder)
    there = run / "steps" / step.folder.name
    if step.done or step.begun or there.resolve() == step.folder.resolve():
        return
    if not integrity.is_whole(there):
        return
    temporary = files.temporary_of(step.folder)
    files.make_folder(step.folder.parent)
    try:
        shutil.copytree(there, temporary, copy_function=_link, ignore=shutil.ignore_patterns(files.LOCK_NAME))
        os.replace(temporary, step.folder)
    finally:
        if temporary.is_dir():
            files.remove_folder(temporary)


def _link(source: str, target: str) -> None:
    """A second name of a file, which no step ever changes; a copy where the file system has none."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _write_best(subject: Subject, tuned: Tuned) -> None:
    """Write the recipe with the best settings, which `run` finishes in the same folder."""
    assert tuned.best is not None
    found = subject.changed(tuned.best.settings)
    heading = (
        f"{subject.recipe_name} with the best of {len(tuned.trials)} trials: {tuned.metric} {tuned.best.value:.4f} on "
        "dev. No trial read a test split."
    )
    reasons = {name: "chosen on dev" for name in tuned.best.settings}
    files.write_text(tuned.path / BEST, writing.text(found.recipe, reasons, heading))


def _made(subject: Subject, tuned: Tuned) -> dict[str, str]:
    """Folder of each step of the best trial that is there -> its identity: what the search rests on."""
    steps, judging = subject.changed(tuned.best.settings if tuned.best is not None else {}).steps()
    found = {step.folder.name: manifest.read(step.folder) for step in (*steps, *judging)}
    return {name: made.identity for name, made in found.items() if made is not None}


def _describe(folder: Path, asked: Mapping[str, Any], command: str, made: Mapping[str, str]) -> None:
    outputs = [path for path in locations.listing(folder) if path.is_file() and path.name in (JOURNAL, ASKED, BEST)]
    manifest.Manifest(
        artefact=ARTEFACT,
        inputs=dict(made),
        parameters=dict(asked),
        versions=manifest.versions_of("optuna", "torch", "transformers", "sentence-transformers"),
        command=command,
        outputs={path.name: files.hash_file(path) for path in outputs if path.name != JOURNAL},
    ).write(folder)
