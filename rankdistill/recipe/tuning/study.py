"""The study on disk: its trials, which one comes next, and going on after an interruption."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rankdistill import files, plain_json
from rankdistill.errors import StaleOutputError
from rankdistill.manifest import digest
from rankdistill.recipe.tuning.space import Space, decoded, start

if TYPE_CHECKING:
    from optuna.study import Study
    from optuna.trial import FrozenTrial

JOURNAL, ASKED = "study.journal", "asked.json"

REASON, SECONDS, STEPS = "reason", "seconds", "steps"
"""What a study keeps of a trial besides its value."""

TRIED_FIRST = 8
"""Trials at random before the sampler learns from them."""

JUDGED_FIRST = 4
"""Trials that must have ended before one is stopped on its way."""

State = Literal["done", "stopped", "failed"]


@dataclass(frozen=True)
class Trial:
    """One trial that has ended.

    Args:
        number: from 0; 0 is the recipe as it was given.
        state: whether it was judged, stopped on its way because it was behind the others, or failed.
        settings: dotted setting -> value that was tried.
        value: of the metric on dev; of a stopped one the last nDCG@10 of its training; None of a failed one.
        seconds: that it took.
        reason: why it failed.
        steps: the folders of the steps that made, indexed and evaluated its student.
    """

    number: int
    state: State
    settings: Mapping[str, Any]
    value: float | None
    seconds: float = 0.0
    reason: str = ""
    steps: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The fields, without those of the disk."""
        names = ("number", "state", "value", "seconds", "reason")
        return {name: getattr(self, name) for name in names} | {"settings": dict(self.settings)}


@dataclass
class Search:
    """A study of optuna in a folder.

    Args:
        folder: holds its journal.
        asked: what decides its trials; a folder with a study of something else is refused.
        space: what may be chosen.
        own: the recipe's own values, which are the first trial.
        seed: of the sampler.
        prune: whether trials that fall behind are stopped.
    """

    folder: Path
    asked: Mapping[str, Any]
    space: Space
    own: Mapping[str, Any]
    seed: int
    prune: bool
    study: Study = field(init=False)

    def __post_init__(self) -> None:
        import optuna
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend

        self._claim()
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        pruner = (
            optuna.pruners.MedianPruner(n_startup_trials=JUDGED_FIRST) if self.prune else optuna.pruners.NopPruner()
        )
        self.study = optuna.create_study(
            storage=JournalStorage(JournalFileBackend(str(self.folder / JOURNAL))),
            study_name=digest(self.asked)[:16],
            direction="maximize",
            pruner=pruner,
            load_if_exists=True,
        )
        self._take_up()
        if not self.study.trials:
            self.study.enqueue_trial(start(self.space, self.own))

    def next(self) -> Any:
        """The trial that comes next: one that was interrupted, or what the sampler takes from those that have ended.

        The sampler's numbers depend on the seed and the trial alone, so that an interrupted search tries the same.
        """
        import optuna

        seed = int(digest([self.seed, len(self.ended())])[:8], 16)
        self.study.sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=TRIED_FIRST, multivariate=False)
        return self.study.ask()

    def makes(self, trial: Any, steps: list[str]) -> None:
        """A trial begins to make these steps."""
        trial.set_user_attr(STEPS, steps)

    def done(self, trial: Any, value: float, seconds: float) -> None:
        """A trial was judged."""
        trial.set_user_attr(SECONDS, seconds)
        self.study.tell(trial, value)

    def stopped(self, trial: Any, seconds: float) -> None:
        """A trial was stopped on its way."""
        import optuna

        trial.set_user_attr(SECONDS, seconds)
        self.study.tell(trial, state=optuna.trial.TrialState.PRUNED)

    def failed(self, trial: Any, reason: str, seconds: float) -> None:
        """A trial could not be judged."""
        import optuna

        trial.set_user_attr(SECONDS, seconds)
        trial.set_user_attr(REASON, reason)
        self.study.tell(trial, state=optuna.trial.TrialState.FAIL)

    def ended(self) -> list[Trial]:
        """The trials that have ended, in their order; those that were interrupted are none."""
        kept = [one for one in self.study.trials if one.state.is_finished() and not _was_interrupted(one)]
        return [_trial(number, one) for number, one in enumerate(kept)]

    def importance(self) -> dict[str, float]:
        """Setting -> its share of what the value varies by (fANOVA over the judged trials), the largest first.

        Of the settings that every trial has; empty with fewer than four different trials.
        """
        import optuna

        judged = [one for one in self.study.trials if one.state == optuna.trial.TrialState.COMPLETE]
        if len(judged) < 4 or len({one.value for one in judged}) < 2:
            return {}
        evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
        try:
            found = optuna.importance.get_param_importances(self.study, evaluator=evaluator)
        except (RuntimeError, ValueError):  # nothing varies, or no setting is in every trial
            return {}
        return {name: float(value) for name, value in found.items()}

    def _claim(self) -> None:
        """Write what is asked for; raise StaleOutputError where the folder has a study of something else."""
        path = self.folder / ASKED
        if path.is_file():
            before = plain_json.read(path)
            differs = sorted(
                name for name in {*before, *self.asked} if digest(before.get(name)) != digest(self.asked.get(name))
            )
            if differs:
                raise StaleOutputError(
                    expected=f"{self.folder} to be empty, or to hold a search of the same recipe, space and metric",
                    got=f"a search with another {', '.join(differs)}",
                    consequence="nothing was run: its trials cannot be compared with these",
                    remedy="choose another output, or remove the old one",
                )
            return
        files.write_text(path, json.dumps(self.asked, indent=1, sort_keys=True) + "\n")

    def _take_up(self) -> None:
        """Put trials that a killed process left in the making at the head of the queue, with the same values."""
        import optuna

        for left in [one for one in self.study.trials if one.state == optuna.trial.TrialState.RUNNING]:
            self.study.tell(left.number, state=optuna.trial.TrialState.FAIL)
            queued: Mapping[str, Any] = left.system_attrs.get("fixed_params") or {}
            if values := {**queued, **left.params} or ({} if self.ended() else start(self.space, self.own)):
                self.study.enqueue_trial(values)  # without any the sampler draws the same again


def _was_interrupted(found: FrozenTrial) -> bool:
    """Whether a trial was killed: one that failed has a reason."""
    return found.state.name == "FAIL" and REASON not in found.user_attrs


def _trial(number: int, found: FrozenTrial) -> Trial:
    name = {"COMPLETE": "done", "PRUNED": "stopped"}.get(found.state.name, "failed")
    settings = {name: decoded(value) for name, value in found.params.items()}
    value = found.value if found.state.name == "COMPLETE" else next(reversed(found.intermediate_values.values()), None)
    return Trial(
        number,
        name,  # type: ignore[arg-type]
        settings,
        value if name != "failed" else None,
        round(float(found.user_attrs.get(SECONDS, 0.0)), 1),
        str(found.user_attrs.get(REASON, "")),
        tuple(found.user_attrs.get(STEPS, ())),
    )


def now() -> float:
    """Seconds of a clock that only goes forward."""
    return time.monotonic()
