"""What a system is that is evaluated: told by what lies where it points to, and opened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any

from rankdistill import manifest
from rankdistill.bundles import is_bundle
from rankdistill.data import Dataset
from rankdistill.errors import ConfigError, DataError
from rankdistill.evaluation.results import FILE_NAME
from rankdistill.evaluation.retrieve import Bm25Retriever
from rankdistill.indexing import StoredIndex
from rankdistill.mining import tokenisers
from rankdistill.verbs.arguments import Model, Place, listed, place_of, reference_of

BM25 = "bm25"

System = Model | Sequence[Model]
"""`bm25[:TOKENIZER]`; a model, a student or a bundle; an index; a query model with a document model or an index;
several indexes; a run: an evaluation, or a TREC or Parquet file."""


@dataclass(frozen=True)
class Parts:
    """What a system is made of.

    Args:
        query_model: embeds the queries; `bm25[:TOKENIZER]`; None: the index's own.
        document_model: embeds the documents; None: the query model, or the index's.
        indexes: what is searched; none: an index in memory.
        run: what was answered before, instead of all of these.
    """

    query_model: str | None = None
    document_model: str | None = None
    indexes: tuple[StoredIndex | Path, ...] = ()
    run: Path | None = None

    @property
    def words(self) -> bool:
        """Whether BM25 ranks."""
        return self.query_model is not None and self.query_model.partition(":")[0] == BM25


def require_effect(parts: Parts, **settings: Any) -> None:
    """Raise ConfigError if something is set that the system does not read: BM25, a run, or one tower that is aligned.

    Args:
        parts: the system, of what lies here.
        settings: name -> value, that is something where it was given.
    """
    given = [name for name, value in settings.items() if value]
    if parts.run is not None or parts.words:
        if unread := [*given, *(["index"] if parts.indexes else [])]:
            raise without_effect(", ".join(unread), "a run" if parts.run is not None else f"{parts.query_model!r}")
        return
    alone = parts.query_model is None or (not parts.indexes and not is_bundle(parts.query_model))
    if "unaligned" in given and parts.document_model is None and alone:
        raise without_effect("unaligned", "a system of one model")


def without_effect(settings: str, system: str) -> ConfigError:
    """Of settings that a system under evaluation does not read."""
    return ConfigError(
        expected=f"settings that {system} reads",
        got=settings,
        consequence="nothing was evaluated: they would have no effect",
        remedy="leave them out",
    )


def parts_of(
    system: System | None,
    query_model: Model | None = None,
    document_model: Model | None = None,
    index: Place | Sequence[Place] | None = None,
) -> Parts:
    """What a system is made of, with what is named besides.

    Raises:
        ConfigError: it is not clear which model embeds what.
        DataError: the manifest of a folder is broken.
    """
    found = Parts() if system is None else _told(system)
    named = Parts(
        None if query_model is None else reference_of(query_model),
        None if document_model is None else reference_of(document_model),
        _indexes(index),
    )
    for field in ("query_model", "document_model", "indexes"):
        if getattr(named, field):
            if getattr(found, field) or found.run is not None:
                raise _unclear(system, named)
            found = replace(found, **{field: getattr(named, field)})
    whole = found.run is not None or found.query_model is not None or found.indexes
    lonely = found.query_model == named.query_model is not None and not (found.document_model or found.indexes)
    orphan = found.document_model is not None and found.query_model is None
    if not whole or lonely or orphan:
        raise _unclear(system, named)
    if found.query_model is not None and named.document_model is not None and named.query_model is None:
        raise _unclear(system, named)
    return found


def bm25_of(words: str, dataset: Dataset, name: str | None) -> Bm25Retriever:
    """BM25 with the tokeniser that `bm25[:TOKENIZER]` names.

    Raises:
        ConfigError: no such tokeniser.
    """
    tokenizer = words.partition(":")[2] or tokenisers.DEFAULT
    tokenisers.named(tokenizer)
    title = "BM25" if tokenizer == tokenisers.DEFAULT else f"BM25 {tokenizer}"
    return Bm25Retriever(dataset, name or title, tokenizer=tokenizer)


def _told(system: System) -> Parts:
    """What `system` is, by what lies there."""
    if isinstance(system, str | PathLike):
        kind = _kind(system)
        if kind == "index":
            return Parts(indexes=_indexes(system))
        return Parts(run=place_of(system)) if kind == "evaluation" else Parts(query_model=reference_of(system))
    given = list(system)
    kinds = [_kind(one) for one in given]
    if given and all(kind == "index" for kind in kinds):
        return Parts(indexes=_indexes(given))
    if len(given) == 2 and kinds[0] == "":
        first = reference_of(given[0])
        if kinds[1] == "index":
            return Parts(first, indexes=_indexes(given[1]))
        if kinds[1] == "":
            return Parts(first, reference_of(given[1]))
    raise ConfigError(
        expected="a query model with a document model or with an index, or several indexes",
        got=f"{len(given)} of: {', '.join(kind or 'model' for kind in kinds) or 'nothing'}",
        consequence="nothing was evaluated: it is not clear what it is",
        remedy="runs are fused by rankdistill.fuse; give one system here",
    )


def _kind(place: Model) -> str:
    """`index`, `evaluation` (a run file too), or nothing: a model."""
    if isinstance(place, StoredIndex):
        return "index"
    path = Path(reference_of(place))
    if path.is_file():
        return "evaluation"
    if not path.is_dir():
        return ""
    try:
        made = manifest.read(path)
    except DataError:
        if (path / "config.json").is_file() or (path / "modules.json").is_file():
            return ""  # a model with a manifest of someone else's
        raise
    if made is None:
        return "evaluation" if (path / FILE_NAME).is_file() else ""
    return made.artefact if made.artefact in ("index", "evaluation") else ""


def _indexes(given: Place | Sequence[Place] | None) -> tuple[StoredIndex | Path, ...]:
    return tuple(one if isinstance(one, StoredIndex) else place_of(one) for one in listed(given))


def _unclear(system: System | None, named: Parts) -> ConfigError:
    given = {
        "--model": system,
        "--query-model": named.query_model,
        "--document-model": named.document_model,
        "--index": named.indexes or None,
    }
    return ConfigError(
        expected="--model MODEL, --index INDEX, or --query-model MODEL with --document-model MODEL or --index INDEX",
        got=" ".join(flag for flag, value in given.items() if value is not None) or "none of them",
        consequence="nothing was evaluated: which model embeds what is not clear",
        remedy="give --model for one model or a bundle, the others for a query model and a document model; in Python "
        "a model, an index, or (query model, document model)",
    )
