"""Looking at a training while it runs, by what its checkpoints say of dev; and stopping one that will not win."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rankdistill import plain_json
from rankdistill.progress import Reporter, Stage

CHECKPOINTS = "checkpoints"
STATE = "trainer_state.json"

Seen = Callable[[int, float], object]
"""Told of a dev evaluation: step, nDCG@10."""


def dev_values(student: Path) -> dict[int, float]:
    """Step -> nDCG@10 on dev, as the checkpoints of an unfinished student tell it; empty where there are none yet."""
    states = sorted((student / CHECKPOINTS).glob(f"checkpoint-*/{STATE}"), key=lambda one: _number(one.parent))
    for state in reversed(states):
        try:
            history = plain_json.loads(state.read_bytes())["log_history"]
        except (OSError, ValueError, KeyError):  # being written, or removed
            continue
        return {entry["step"]: entry[name] for entry in history for name in entry if _is_main(name)}
    return {}


def newest(student: Path) -> Path | None:
    """The last checkpoint of an unfinished student."""
    return max((student / CHECKPOINTS).glob("checkpoint-*"), key=_number, default=None)


def _number(checkpoint: Path) -> int:
    return int(checkpoint.name.rpartition("-")[2])


def _is_main(name: str) -> bool:
    return name.startswith("eval_") and (name.endswith("ndcg@10") or name == "eval_asymmetric_ndcg_at_10")


@dataclass
class Watching:
    """A reporter that passes everything on, and looks at the student after each unit of work.

    Args:
        inner: who is told.
        student: the folder of the training.
        seen: called once with each new dev evaluation; what it raises ends the training.
    """

    inner: Reporter
    student: Path
    seen: Seen
    _known: set[int] = field(default_factory=set)
    _newest: Path | None = None

    @contextmanager
    def stage(self, name: str, unit: str, total: int | None = None) -> Iterator[Stage]:
        """See `Reporter.stage`."""
        with self.inner.stage(name, unit, total) as stage:
            yield _Watched(stage, self) if unit == "steps" else stage

    def look(self) -> None:
        """Tell of dev evaluations that are new."""
        last = newest(self.student)
        if last is None or last == self._newest:
            return
        values = dev_values(self.student)
        if values:
            self._newest = last
        for step, value in values.items():
            if step not in self._known:
                self._known.add(step)
                self.seen(step, value)


@dataclass
class _Watched:
    stage: Any
    watching: Watching

    def __call__(self, done: int) -> object:
        self.stage(done)
        self.watching.look()
        return None

    def expect(self, total: int) -> object:
        return self.stage.expect(total)
