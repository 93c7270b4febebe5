"""`reproduce`: a run, or an artefact of one command, made once more from its manifest and held against the first."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rankdistill import manifest, plain_json
from rankdistill.display import Shown, Table
from rankdistill.errors import ConfigError, DataError, StaleOutputError
from rankdistill.locations import is_local
from rankdistill.manifest import RUN, Manifest
from rankdistill.notes import note
from rankdistill.progress import ProgressLike
from rankdistill.recipe.loading import AnyRecipe, parse
from rankdistill.recipe.run import plan, run
from rankdistill.verbs.arguments import Place, place_of, require_range
from rankdistill.verbs.contract import verb
from rankdistill.verbs.differing import (
    TASKS,
    Compared,
    compare,
    compare_parts,
    made_by,
    require_figures,
    versions_changed,
)

if TYPE_CHECKING:
    import polars as pl

SUFFIX = "-reproduced"
"""Of the folder that a run is made in again, unless another is given."""

RESULTS = "results.json"

PROGRAM = "import sys; sys.argv[0] = 'rankdistill'; from rankdistill.cli.main import main; main()"
"""The command line as a process of its own, under the name that manifests have."""

MADE_BY = (
    "data", "queries", "rewrite", "mine", "teach", "score", "embed", "import", "export", "ensemble", "train", "bundle",
    "index", "evaluate", "rerank", "fuse", "fidelity", "robustness", "sparsity", "ann-recall",
)  # fmt: skip
"""Verbs whose command line makes the folder that `--out` names."""


@dataclass(frozen=True, repr=False)
class Reproduction(Shown):
    """What came of making something again; it prints as a table of its parts, and what differs.

    Args:
        before: the folder that was reproduced.
        now: the one that was made.
        parts: each step of a run, or the one artefact.
        versions: a line for each library that is of another version now.
        tolerance: how far a mean might lie from the one before and be called the same.
    """

    before: Path
    now: Path
    parts: tuple[Compared, ...]
    versions: tuple[str, ...]
    tolerance: float

    def __fspath__(self) -> str:
        return str(self.now)

    def __repr__(self) -> str:
        return f"Reproduction({str(self.before)!r}: {'same' if self.same else 'differs'})"

    @property
    def same(self) -> bool:
        """Whether every measure is the same, and of what measures nothing the bytes are; never where a part is gone."""
        measured = [part for part in self.parts if part.measures]
        return bool(self.parts) and not self._gone and all(part.state == "same" for part in (measured or self.parts))

    @property
    def _gone(self) -> list[Compared]:
        return [part for part in self.parts if part.state == "not there"]

    def tables(self) -> list[Table]:
        """A part a row: whether it is the same, and the measure in which it differs most."""
        rows = [[part.name, part.kind, part.state, "; ".join(part.details)] for part in self.parts]
        return [Table(f"{self.before}, made again in {self.now}", ["part", "kind", "state", "what differs"], rows, 4)]

    def lines(self) -> list[str]:
        """What it comes to."""
        measured = [part for part in self.parts if part.measures]
        count = sum(len(part.measures) for part in measured)
        if measured:
            within = "" if not self.tolerance else f" within {self.tolerance:g}"
            other = sum(part.state != "same" for part in measured)
            said = [
                f"{other} of {len(measured)} evaluations have other measures"
                if other
                else f"{count} measures of {len(measured)} evaluations are equal{within}"
            ]
        else:
            said = ["the bytes are the same" if self.same else "the bytes differ"] if not self._gone else []
        if self._gone:
            said.append(f"nothing to compare with: {', '.join(part.name for part in self._gone)}")
        exact = sum(part.state == "same" for part in self.parts)
        said.append(f"{exact} of {len(self.parts)} parts are the same")
        return [*said, *(f"version: {line}" for line in self.versions)]

    def to_polars(self) -> pl.DataFrame:
        """One measure of an evaluation a row: name, measure, before, now; none of what measures nothing."""
        import polars as pl

        rows = [(part.name, name, *values) for part in self.parts for name, values in part.measures.items()]
        schema = {"name": pl.String, "measure": pl.String, "before": pl.Float64, "now": pl.Float64}
        return pl.DataFrame(rows, schema=schema, orient="row")

    def to_json(self) -> dict[str, Any]:
        """All of it."""
        return {
            "before": str(self.before),
            "now": str(self.now),
            "same": self.same,
            "tolerance": self.tolerance,
            "versions": list(self.versions),
            "parts": [part.to_json() for part in self.parts],
        }


@verb
def reproduce(
    run: Place,
    out: Place | None = None,
    *,
    tolerance: float = 0.0,
    progress: ProgressLike = False,
) -> Reproduction:
    """Make a run again from its manifest, in another folder, and say what differs from the first time.

    Of a recipe's run every step is done anew, with the settings that the manifest has, and each is held against the
    step before: what it was made from, the hashes of its files, and of evaluations each measure of each query. Of
    another artefact the command in its manifest is run again, from this working directory, with another `--out`.
    What an interrupted call finished is kept; the same call goes on.

    Args:
        run: folder of a run, or of what one command made.
        out: where it is made; the folder beside it with `-reproduced` behind its name unless given.
        tolerance: how far a mean measure may lie from the one before, and be called the same.
        progress: True tells on standard error; or a function that takes the number of units just done.

    Raises:
        DataError: nothing there says how it was made, or its command does not end well.
        DamagedError: figures of the first time are not as they were written.
        ConfigError: `out` is the folder itself, or in it.
        StaleOutputError: `out` holds something else, or all of it already, made with other versions.
        RankdistillError: whatever a step raises.
    """
    require_range(0, tolerance=tolerance)
    before = place_of(run)
    if not is_local(before) or not before.is_dir():
        raise _unknown(before, "an object store" if not is_local(before) else "no such folder")
    named = before if before.name not in ("", "..") else before.resolve()
    now = named.with_name(named.name + SUFFIX) if out is None else place_of(out)
    if now.resolve() == before.resolve() or before.resolve() in now.resolve().parents:
        raise ConfigError(
            expected=f"a folder outside {before}",
            got=f"{now}",
            consequence="nothing was run: it would change what is reproduced",
            remedy="name another: --out FOLDER",
        )
    _require_made_now(now)
    made = manifest.read(before)
    recipe = _recipe(before, made)
    if recipe is None:
        if made is None:
            raise _unknown(before, "neither a manifest nor the results of a recipe")
        _again(before, made, now)
        parts = compare_parts(made.artefact, before, now, tolerance)
    else:
        parts = _run_again(before, made, recipe, now, tolerance, progress)
    again = manifest.read(now)
    changed = versions_changed(made, again.versions) if made is not None and again is not None else []
    return Reproduction(before, now, tuple(parts), tuple(changed), tolerance)


def _require_made_now(now: Path) -> None:
    """Raise StaleOutputError where all is made already, with other versions than would make it now."""
    there = manifest.read(now)
    if there is None:
        return
    if changed := versions_changed(there, manifest.versions_of(*there.versions)):
        raise StaleOutputError(
            expected=f"a folder for what is made again, or {now} as an earlier call made it with the same versions",
            got="; ".join(changed),
            consequence="nothing was run: what older versions made would be compared, and called that of these",
            remedy=f"remove it (rm -r {shlex.quote(str(now))}), or name another: --out FOLDER",
        )
    note(f"{now} is made already, with these versions: it is compared as it is")


def _run_again(
    before: Path,
    made: Manifest | None,
    recipe: Mapping[str, Any],
    now: Path,
    tolerance: float,
    progress: ProgressLike,
) -> list[Compared]:
    """Every step of a run, beside the one that was done again."""
    command = "" if made is None else made.command
    first = _steps(before, made, recipe)
    for folder in first.values():
        require_figures(folder)
    chosen = parse({**_with_unit_size(recipe, first), "out": str(now)}, str(before), [])
    run(chosen, progress=progress, command=command)
    found = []
    for step in plan(chosen).steps():
        old = first.get(step.name, before / "steps" / step.folder.name)
        found.append(compare(step.name, old, step.folder, tolerance, (before, now)))
    return found


def _with_unit_size(recipe: Mapping[str, Any], steps: Mapping[str, Path]) -> Mapping[str, Any]:
    """The recipe with the pairs a shard of the first time, perhaps measured, so that the files are the same."""
    scored = next((path for name, path in steps.items() if name == "scores"), None)
    made = None if scored is None else manifest.read(scored)
    settings = recipe.get("score") or {}
    if made is None:
        return recipe
    return {**recipe, "score": {**settings, "unit_size": made.parameters["unit_size"]}}


def _steps(before: Path, made: Manifest | None, recipe: Mapping[str, Any]) -> dict[str, Path]:
    """Name of a step -> the folder that it made the first time."""
    if made is not None:
        return {name.rpartition("-")[0]: before / "steps" / name for name in made.inputs}
    chosen: AnyRecipe = parse({**recipe, "out": str(before)}, str(before), [])
    return {step.name: step.folder for step in plan(chosen).steps()}


def _recipe(before: Path, made: Manifest | None) -> Mapping[str, Any] | None:
    """The settings of the recipe that ran in a folder; of a run from before runs had manifests, those in its results.

    None where something else lies there.
    """
    if made is not None:
        return made.parameters["recipe"] if made.artefact == RUN else None
    try:
        found = plain_json.loads((before / RESULTS).read_bytes())["signature"]["recipe"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return {name: value for name, value in found.items() if name != "out"}


def _again(before: Path, made: Manifest, now: Path) -> None:
    """Run the command of a manifest, with `now` for the folder that it made; of tasks those of all calls."""
    calls = [tuple(_arguments(folder, one)) for folder, one in made_by(before, made).items()]
    if made.artefact != TASKS:
        _require_no_part(before, calls[0])
    require_figures(before)
    for words in dict.fromkeys(calls):
        _call(words, made, now)


def _call(arguments: Sequence[str], made: Manifest, now: Path) -> None:
    words = [*arguments, "--out", str(now)]
    if words[0] in ("score", "embed") and "--unit-size" not in words:  # it was measured
        words += ["--unit-size", str(made.parameters["unit_size"])]
    done = subprocess.run([sys.executable, "-c", PROGRAM, *words], stdout=subprocess.DEVNULL, check=False)
    refused = done.returncode == 2 and manifest.read(now) is not None  # made, and refused for what was measured
    if done.returncode != 0 and not refused:
        raise DataError(
            expected=f"the command to end well: rankdistill {shlex.join(words)}",
            got=f"exit status {done.returncode}; what it said stands above",
            consequence="nothing can be compared",
            remedy="run `rankdistill reproduce` in the folder that the paths in the command start from",
        )


def _arguments(before: Path, made: Manifest) -> Sequence[str]:
    """The words of a manifest's command, without the program and its `--out`.

    Raises:
        DataError: it is no command of ours that makes a folder.
    """
    try:
        words = shlex.split(made.command)[1:]
    except ValueError:
        words = []
    kept = [word for word in words if word != "--out=."]
    if "--out" in kept:
        place = kept.index("--out")
        del kept[place : place + 2]
    if not words or words[0] not in MADE_BY or len(kept) == len(words):
        how = f"`{made.command}`" if made.command else "no command: it was made from Python"
        if before.parent.name == "steps":
            remedy = f"reproduce the run that it is a step of: {before.parent.parent}"
        elif words[:1] == ["compare"]:
            how += ", which made the other systems' evaluations too"
            again = shlex.join(["rankdistill", "compare", str(before), f"OTHER/{before.resolve().name}"])
            remedy = f"run it again with `--out OTHER`, then `{again}` tells the differences"
        else:
            remedy = "`rankdistill lineage` shows what it was made from; call the verb again by hand"
        raise DataError(
            expected="a run, or a folder whose manifest has the command line that made it alone",
            got=f"{before}: {how}",
            consequence="nothing was run",
            remedy=remedy,
        )
    return kept


def _require_no_part(before: Path, words: Sequence[str]) -> None:
    """Raise DataError where a command made more than this folder."""
    if any(word.partition("=")[0] == "--tasks" for word in words):
        raise DataError(
            expected="the folder of all tasks, which their command made",
            got=f"{before}: a part of it",
            consequence="nothing was run",
            remedy="reproduce the folder above; each of its evaluations is compared",
        )


def _unknown(folder: Path, got: str) -> DataError:
    return DataError(
        expected="the folder of a run, or one with a manifest",
        got=f"{folder}: {got}",
        consequence="nothing was run",
        remedy="`rankdistill list .` shows runs, and whatever else has a manifest",
    )
