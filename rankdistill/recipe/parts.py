"""The parts that recipes of every kind have. Loads no torch."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from rankdistill.names import names_test

REPORT_FILE = "report.html"
"""What a run writes for a person, in its folder."""

NAME = r"[A-Za-z0-9][A-Za-z0-9 ._-]*"
"""What a student or a collection may be called: its folders are named for it."""


class Part(BaseModel):
    """A part of a recipe: an unknown setting is an error, and nothing changes after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def _no_test(split: str) -> str:
    if names_test(split):
        raise ValueError(
            f"{split!r} is a test split by its name: what was chosen on it could not be tested on it any more"
        )
    return split


DevSplit = Annotated[str, AfterValidator(_no_test)]
"""The name of a split that choices are made on."""


def _here(source: str) -> str:
    if "://" in source:
        raise ValueError(f"{source!r} is no folder on this machine: copy it here first")
    return source


LocalSource = Annotated[str, AfterValidator(_here)]
"""Where a collection comes from."""


def _here_to_be(folder: str) -> str:
    if "://" in folder:
        raise ValueError(f"{folder!r} is no folder on this machine: name one, and copy it there when the run has ended")
    return folder


LocalFolder = Annotated[str, AfterValidator(_here_to_be)]
"""Where a run writes."""


class SourcePart(Part):
    """Where a collection comes from."""

    source: LocalSource = Field(
        "pydocs",
        description="`pydocs` (built from installed packages), a folder in BEIR layout, or a name that "
        "`rankdistill data fetch` takes, such as mteb:SciFact.",
    )
    limit: int | None = Field(None, ge=100, description="pydocs only: how many documents.")
    lenient: bool = Field(False, description="Drop bad rows with a report, instead of stopping.")
    ignore_identical_ids: bool | None = Field(
        None,
        description="Leave the document that has the query's own id out of rankings and candidates, or keep it; null: "
        "as the collection's meta.json says, and where that says nothing, out if it has the query's text.",
    )


SEEDS = (
    "Train each student once with each of these seeds: measures are then means over the trainings, and reports say how "
    "far they lie apart; null: once, with train.seed."
)


@dataclass(frozen=True)
class Training:
    """One training of a student.

    Args:
        variant: the student's name in the recipe.
        seed: of the training; None: the one in its settings.
    """

    variant: str
    seed: int | None


def trainings(variants: Iterable[str], seeds: Sequence[int] | None) -> dict[str, Training]:
    """Name -> training. With several seeds a training is named for both, so that each has a folder."""
    if seeds is None or len(seeds) == 1:
        return {variant: Training(variant, seeds[0] if seeds else None) for variant in variants}
    return {f"{variant} seed {seed}": Training(variant, seed) for variant in variants for seed in seeds}


def named(variants: Iterable[str], made: Mapping[str, Training]) -> list[str]:
    """The names of students and of their trainings; one that stands for both a student and another's training twice."""
    return [*variants, *(name for name, training in made.items() if training.variant != name)]


def require_seeds(seeds: Sequence[int] | None, has_seed: Mapping[str, bool]) -> None:
    """Raise ValueError if a seed stands twice, or a student, of those that `has_seed` tells, names one as well."""
    if seeds is None:
        return
    if len({*seeds}) < len(seeds):
        raise ValueError("seeds: each once")
    for name in (name for name, named in has_seed.items() if named):
        raise ValueError(f"seeds: {name} names a seed of its own; leave one of the two out")


def require_names(what: str, names: Iterable[str]) -> None:
    """Raise ValueError unless every name is fit for a folder's and differs from the others as such."""
    folders: dict[str, str] = {}
    for name in names:
        if not re.fullmatch(NAME, name):
            raise ValueError(f"{what}: {name!r} is no name: letters, digits, spaces and ._- only")
        if slug(name) in folders:
            raise ValueError(f"{what}: {name!r} and {folders[slug(name)]!r} would have one folder")
        folders[slug(name)] = name


def slug(name: str) -> str:
    """The name as a part of a folder name."""
    return name.lower().replace(" ", "-")


def require_dev_beside_patience(where: str, settings: Mapping[str, int | None], is_there: bool) -> None:
    """Raise ValueError where a training ends early by its dev split and there is none.

    Args:
        where: the part of the recipe whose trainings these are.
        settings: training -> its patience.
        is_there: whether the recipe names a dev split.
    """
    if stopping := [name for name, patience in settings.items() if patience is not None and not is_there]:
        raise ValueError(f"{where}: {stopping[0]} has patience, which counts evaluations on dev; name data.dev")
