"""What `evaluate` takes of a search engine: which collection, and which model asks it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike
from typing import Any

from rankdistill.data import Dataset
from rankdistill.engines import open_engine
from rankdistill.engines.pushing import read_note
from rankdistill.errors import ConfigError
from rankdistill.evaluation.engine import EngineRetriever, leg_of
from rankdistill.verbs.arguments import Model, Place, listed, reference_of
from rankdistill.verbs.systems import Parts, System


@dataclass(frozen=True)
class Asked:
    """A collection that is evaluated: the engine's name, its URL, the collection's name, how it is searched."""

    engine: str
    url: str
    collection: str
    exact: bool


def engine_of(engine: str | None, url: str | None, collection: str | None, exact: bool) -> Asked | None:
    """What is asked; None where no engine is named.

    Raises:
        ConfigError: one of the three without the others.
    """
    if engine is not None and url is not None and collection is not None:
        return Asked(engine, url, collection, exact)
    given = {"--engine": engine, "--url": url, "--collection": collection, "--exact": exact or None}
    named = [flag for flag, value in given.items() if value is not None]
    if named:
        raise ConfigError(
            expected="--engine with --url and --collection",
            got=" ".join(named),
            consequence="nothing was evaluated: which collection of which engine is not clear",
            remedy="give all three, or none",
        )
    return None


def parts_of_engine(
    asked: Asked,
    system: System | None,
    query_model: Model | None,
    document_model: Model | None,
    index: Place | Sequence[Place] | None,
) -> Parts:
    """The query model; the collection has the documents.

    Raises:
        ConfigError: another model or an index besides.
    """
    plain = system is None or isinstance(system, str | PathLike)
    if not plain or document_model is not None or listed(index) or (system is not None and query_model is not None):
        raise ConfigError(
            expected=f"one model, of the queries, or none: {asked.collection!r} holds the documents",
            got="several models, or an index",
            consequence="nothing was evaluated",
            remedy="give --model alone, beside --engine, --url and --collection",
        )
    model: Any = system if query_model is None else query_model
    return Parts(None if model is None else reference_of(model))


def require_effect_on_engine(**settings: Any) -> None:
    """Raise ConfigError if something is set that a collection's search does not read."""
    if given := [name for name, value in settings.items() if value]:
        raise ConfigError(
            expected="settings that a collection of an engine reads",
            got=", ".join(given),
            consequence="nothing was evaluated: they would have no effect",
            remedy="leave them out",
        )


def searching_model(asked: Asked, model: str | None, api_key_env: str | None) -> str | None:
    """The model that embeds the queries: `model`, else the collection's own, where it says one.

    Raises:
        RankdistillError: the engine does not answer, has no such collection, or vectors of several models.
    """
    if model is not None:
        return model
    engine = open_engine(asked.url, asked.collection, engine=asked.engine, api_key_env=api_key_env)
    try:
        return leg_of(read_note(engine, asked.url), None, engine.collection).model
    finally:
        engine.close()


@contextmanager
def opened_engine(
    asked: Asked, dataset: Dataset, model: str | None, api_key_env: str | None, **settings: Any
) -> Iterator[EngineRetriever]:
    """The collection as a system, while the block lasts; see `EngineRetriever` for the settings and what it raises."""
    engine = open_engine(asked.url, asked.collection, engine=asked.engine, api_key_env=api_key_env)
    try:
        yield EngineRetriever(dataset, engine, asked.url, model, exact=asked.exact, **settings)
    finally:
        engine.close()
