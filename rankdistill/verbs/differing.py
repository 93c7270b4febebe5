"""What two artefacts that should be the same differ in: how they were made, their bytes, what was measured."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

from rankdistill import files, integrity, locations, manifest, plain_json
from rankdistill.evaluation.ann_result import FILE_NAME as ANN_RECALL
from rankdistill.evaluation.fidelity.records import FILE_NAME as FIDELITY
from rankdistill.evaluation.fidelity.records import PAGE
from rankdistill.evaluation.per_query import PER_QUERY_FILE, read_per_query
from rankdistill.evaluation.results import FILE_NAME as RESULTS
from rankdistill.evaluation.robustness_result import FILE_NAME as ROBUSTNESS
from rankdistill.evaluation.sparsity import FILE_NAME as SPARSITY
from rankdistill.evaluation.tasks.results import ARTEFACT as TASKS
from rankdistill.evaluation.tasks.results import SUBSET, WITHOUT, TaskEvaluations, parts_of
from rankdistill.making import visible_files
from rankdistill.manifest import Manifest

__all__ = ["TASKS", "Compared", "State", "compare", "compare_parts", "made_by", "require_figures", "versions_changed"]

State = Literal["same", "other numbers", "other bytes", "other inputs", "not there"]
"""Of an artefact that was made again: the same bytes or, of an evaluation, numbers; or what differs."""

MOST = 5
"""Differences of one artefact that are told."""

_OF_PLACE = {manifest.FILE_NAME, RESULTS, PAGE, "README.md"}
"""Files that hold a command line, seconds, or where a model lay."""

_SIGNED = {ANN_RECALL, FIDELITY, ROBUSTNESS, SPARSITY}
"""Files of figures whose signature holds the command line and the versions."""

_FIGURES = {*_SIGNED, RESULTS, PER_QUERY_FILE}
"""Files that are read to be compared."""

_TIMED = "milliseconds"
"""The field of such a file, at any depth, that is another one each time."""

_OF_OTHERS = ("input 'system' ", "input 'towers' ", "parameter 'costs' ")
"""Differences of an evaluation that stand for those of what was evaluated, which is a part of its own."""


_OF_COLLECTION = ("input 'data' ", "input 'qrels' ")


@dataclass(frozen=True)
class Compared:
    """One artefact beside the one that was made again.

    Args:
        name: what it is called.
        kind: as its manifest calls it.
        state: whether they are the same.
        details: what differs, a line each.
        measures: of an evaluation, measure -> (before, now).
        queries: of an evaluation, how many there are, and for how many a measure differs.
    """

    name: str
    kind: str
    state: State
    details: tuple[str, ...] = ()
    measures: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    queries: tuple[int, int] = (0, 0)

    def to_json(self) -> dict[str, Any]:
        """The fields."""
        found: dict[str, Any] = {"name": self.name, "kind": self.kind, "state": self.state}
        found |= {"details": list(self.details)}
        if self.measures:
            found["measures"] = {name: {"before": old, "now": new} for name, (old, new) in self.measures.items()}
            found["queries"], found["queries_that_differ"] = self.queries
        return found


def compare(
    name: str, before: Path, now: Path, tolerance: float = 0.0, moved: tuple[Path, Path] | None = None
) -> Compared:
    """What the artefact in `now` differs in from that in `before`.

    Args:
        name: what it is called.
        before: a folder with a manifest.
        now: one that was made in the same way.
        tolerance: of an evaluation, how far a mean may lie from the one before and still be the same.
        moved: the folders of all that was made before and now: where something lies in them is no difference.

    Raises:
        DamagedError: a file of figures is not as it was written.
    """
    old, new = (_manifest(folder) for folder in (before, now))
    if old is None or new is None:
        known = old or new
        missing = f"{before if old is None else now}"
        return Compared(name, known.artefact if known is not None else "", "not there", (missing,))
    if moved is not None:
        old = replace(old, parameters=_relocated(old.parameters, *map(str, moved)))
    said = [] if old.identity == new.identity else list(manifest.differences(old, new))
    if old.artefact == "evaluation":
        return _evaluations(name, before, now, said, tolerance)
    state: State = "other inputs" if said else "same"
    changed = list(_changed(_contents(before, old), _contents(now, new)))
    if changed and not said:
        state = "other bytes"
    return Compared(name, old.artefact, state, _cut([*said, *changed]))


def compare_parts(name: str, before: Path, now: Path, tolerance: float = 0.0) -> list[Compared]:
    """`compare`; of evaluations on tasks of mteb one for each evaluation that lies in either folder.

    The file of mteb holds how long a task took, so its numbers are compared, and not its bytes.
    """
    old, new = (_manifest(folder) for folder in (before, now))
    if old is None or new is None or {old.artefact, new.artefact} != {TASKS}:
        return [compare(name, before, now, tolerance)]
    said = [] if old.identity == new.identity else list(manifest.differences(old, new))
    first, second = TaskEvaluations.read(before), TaskEvaluations.read(now)
    found = []
    for judged in dict.fromkeys([*_judged(before), *_judged(now)]):
        old_folder, new_folder = (one.evaluation(judged.task, judged.split, judged.subset) for one in (first, second))
        part = compare(judged.name, old_folder, new_folder, tolerance)
        if part.state != "not there" and (moved := _furthest(first, second, judged, tolerance)):
            part = replace(part, state="other numbers", details=_cut([moved, *part.details]))
        found.append(replace(part, details=_cut([*said, *part.details])))
    return found or [Compared(name, TASKS, "other inputs" if said else "same", _cut(said))]


def require_figures(folder: Path) -> None:
    """Raise DamagedError where a file that `compare_parts` reads of an artefact is not as it was written.

    Of all others it compares what the manifest has, which their damage does not change.
    """
    made = _manifest(folder)
    for name in made.outputs if made is not None else ():
        file = Path(name)
        if file.name in _FIGURES or (made is not None and made.artefact == TASKS and file.suffix == ".json"):
            integrity.Recorded(folder, name, made).require()


def made_by(folder: Path, made: Manifest) -> Mapping[Path, Manifest]:
    """Folder -> manifest of what has the commands that made an artefact: of tasks each, which may be of several calls.

    Raises:
        DataError: the manifest of a task is damaged.
    """
    parts = parts_of(folder) if made.artefact == TASKS else {}
    return parts or {folder: made}


class _Judged(NamedTuple):
    """What one evaluation of a folder of such is on."""

    task: str
    subset: str
    split: str

    @property
    def name(self) -> str:
        """Its folder."""
        return "/".join([self.task, *([] if self.subset == WITHOUT else [self.subset]), self.split])


def _judged(folder: Path) -> list[_Judged]:
    """What the evaluations in a folder of such are on."""
    flat, deep = (locations.listing(folder, f"{depth}/{RESULTS}") for depth in ("*/*", "*/*/*"))
    return [
        *(_Judged(path.parts[-3], WITHOUT, path.parts[-2]) for path in flat),
        *(_Judged(*path.parts[-4:-1]) for path in deep),
    ]


def _furthest(before: TaskEvaluations, now: TaskEvaluations, judged: _Judged, tolerance: float) -> str:
    """The number of mteb's file that moved most, in words; "" where all are within the tolerance."""
    old, new = (_numbers(one.results.get(judged.task, {}), judged) for one in (before, now))
    distances = {name: _distance(old.get(name), new.get(name)) for name in {*old, *new}}
    most = max(sorted(distances), key=lambda name: distances[name], default="")
    if not most or distances[most] <= tolerance:
        return ""
    return f"mteb's {most} {old.get(most)} before, {new.get(most)} now"


def _numbers(result: Mapping[str, Any], judged: _Judged) -> dict[str, float]:
    blocks = result.get("scores", {}).get(judged.split) or []
    found: Mapping[str, Any] = next((block for block in blocks if block[SUBSET] == judged.subset), {})
    return {name: float(value) for name, value in found.items() if isinstance(value, int | float)}


def _distance(one: float | None, other: float | None) -> float:
    """How far two numbers lie apart; two that are no numbers not at all, one alone infinitely."""
    if one is None or other is None or math.isnan(one) != math.isnan(other):
        return math.inf
    return 0.0 if math.isnan(one) else abs(one - other)


def versions_changed(before: Manifest, now: Mapping[str, str]) -> list[str]:
    """A line for each library of a manifest that is installed in another version now."""
    return [
        f"{library} was {version}, is now {now.get(library, 'not installed')}"
        for library, version in sorted(before.versions.items())
        if now.get(library) != version
    ]


def _manifest(folder: Path) -> Manifest | None:
    return manifest.read(folder) if folder.is_dir() else None


def _relocated(value: Any, before: str, now: str) -> Any:
    """A nested value in which paths below one folder are those below another."""
    if isinstance(value, str):
        return now + value.removeprefix(before) if value == before or value.startswith(f"{before}/") else value
    if isinstance(value, Mapping):
        return {name: _relocated(one, before, now) for name, one in value.items()}
    return [_relocated(one, before, now) for one in value] if isinstance(value, list) else value


def _evaluations(name: str, before: Path, now: Path, said: list[str], tolerance: float) -> Compared:
    old, new = (_content(folder / RESULTS)["system"]["measures"] for folder in (before, now))
    measures = {measure: (old[measure], new.get(measure, float("nan"))) for measure in old}
    queries, differ = _queries(before, now)
    equal = all(abs(one - other) <= tolerance for one, other in measures.values())
    same = equal and not (differ and tolerance == 0)
    said = [line for line in said if not line.startswith(_OF_OTHERS)]
    if not equal:
        moved = max(measures, key=lambda measure: abs(measures[measure][0] - measures[measure][1]))
        said = [f"{moved} {measures[moved][0]:.6g} before, {measures[moved][1]:.6g} now", *said]
    if differ:
        said = [*said, f"{differ:,} of {queries:,} queries have other measures"]
    state: State = "same" if same else "other numbers"
    if same and tolerance == 0 and any(line.startswith(_OF_COLLECTION) for line in said):
        state = "other inputs"
    return Compared(name, "evaluation", state, _cut(said), measures, (queries, differ))


def _queries(before: Path, now: Path) -> tuple[int, int]:
    """How many queries there are, and how many of them have another measure or are in one of the two alone."""
    import polars as pl

    old, new = (read_per_query(folder) for folder in (before, now))
    both = old.join(new, on="query_id", how="full", suffix="_now", coalesce=True)
    pairs = [(one, f"{one}_now") for one in old.columns if one != "query_id" and f"{one}_now" in both.columns]
    differs = pl.any_horizontal(*(pl.col(one).ne_missing(pl.col(other)) for one, other in pairs))
    return both.height, both.filter(differs).height if pairs else 0


def _contents(folder: Path, made: Manifest) -> Mapping[str, str]:
    """File -> hash of what it held when it was made; of what is there now, where the manifest names none."""
    named = made.outputs or {path.relative_to(folder).as_posix(): files.hash_file(path) for path in _others(folder)}
    found = {name: content for name, content in named.items() if Path(name).name not in _OF_PLACE}
    return found | {name: _unsigned(folder / name) for name in found if Path(name).name in _SIGNED}


def _unsigned(path: Path) -> str:
    """Hash of figures without milliseconds, and without the command and the versions that their signature tells."""
    content = _untimed(_content(path))
    signature = {name: one for name, one in content.get("signature", {}).items() if name not in ("command", "versions")}
    return manifest.digest({**content, "signature": signature})


def _content(path: Path) -> Any:
    """What a JSON file of an artefact says; DamagedError where it is not as it was written."""
    return plain_json.read(integrity.require(path))


def _untimed(value: Any) -> Any:
    """A nested value without what was timed."""
    if isinstance(value, Mapping):
        return {name: _untimed(one) for name, one in value.items() if name != _TIMED}
    return [_untimed(one) for one in value] if isinstance(value, list) else value


def _others(folder: Path) -> Iterator[Path]:
    return (path for path in visible_files(folder) if path.name not in _OF_PLACE)


def _changed(before: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    for name in sorted({*before, *now}):
        if name not in now:
            yield f"{name} is not there now"
        elif name not in before:
            yield f"{name} was not there before"
        elif before[name] != now[name]:
            yield f"{name} has other bytes"


def _cut(said: list[str]) -> tuple[str, ...]:
    more = len(said) - MOST
    return (*said[:MOST], f"and {more} more") if more > 0 else tuple(said)
