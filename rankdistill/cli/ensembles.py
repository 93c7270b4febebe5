"""How the verbs `ensemble` and `train` read a list of teachers and of weights."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rankdistill.data import Dataset
    from rankdistill.ensembles.source import Ensemble
    from rankdistill.stores.reader import ScoreStore


def scores_of(
    store: Path,
    teacher: str | None,
    teachers: str | None,
    collection: Dataset,
    *,
    weights: str | None = None,
    **choices: str | None,
) -> ScoreStore | Ensemble:
    """The store, or an ensemble of its teachers where `teachers` names some.

    Args:
        store: folder of the store.
        teacher: the one teacher asked for.
        teachers: the ensemble asked for.
        collection: for the texts of a store of ids.
        weights: as `parse_weights` reads them.
        choices: other settings of `Ensemble`; None: its default.

    Raises:
        ConfigError: one teacher and an ensemble are asked for, or settings of an ensemble without one.
    """
    from rankdistill.ensembles.source import Ensemble
    from rankdistill.errors import ConfigError
    from rankdistill.stores.reader import ScoreStore

    given = {name: value for name, value in choices.items() if value is not None}
    asked = [name for name, value in (given | {"weights": weights, "teacher": teacher}).items() if value is not None]
    if teachers is None and asked in ([], ["teacher"]):
        return ScoreStore(store, collection)
    if teachers is None or teacher is not None:
        raise ConfigError(
            expected="one teacher, or an ensemble with its settings",
            got="--teacher and --teachers" if teachers else f"--{', --'.join(asked)} without --teachers",
            consequence="nothing was trained",
            remedy="name the ensemble's teachers with --teachers A,B,C, and leave --teacher out",
        )
    return Ensemble(ScoreStore(store, collection), parse_teachers(teachers), weights=parse_weights(weights), **given)


def parse_teachers(text: str) -> list[str]:
    """`A,B,C` as a list; raises ConfigError if one is empty."""
    from rankdistill.errors import ConfigError

    found = [one.strip() for one in text.split(",")]
    if not all(found):
        raise ConfigError(
            expected="teachers with commas between them, such as A,B,C",
            got=repr(text),
            consequence="nothing was read",
            remedy="`rankdistill status STORE` lists them",
        )
    return found


def parse_weights(text: str | None) -> list[float] | None:
    """`0.5,0.3,0.2` as numbers; None stays None; raises ConfigError if one is no number."""
    from rankdistill.data.values import number
    from rankdistill.errors import ConfigError

    if text is None:
        return None
    try:
        return [number(one, "weight") for one in text.split(",")]
    except ValueError as error:
        raise ConfigError(
            expected="numbers with commas between them, such as 0.5,0.3,0.2",
            got=repr(text),
            consequence="nothing was read",
            remedy="give one weight a teacher, in the order of the teachers",
        ) from error
