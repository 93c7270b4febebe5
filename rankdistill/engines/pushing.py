"""Writing a source into a collection: streamed, taken up where it stopped, counted at the end."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from rankdistill import files, manifest, plain_json
from rankdistill.engines.base import GRAPH, Engine, LegName, Shape
from rankdistill.engines.notes import Note, require_same_spaces
from rankdistill.engines.registry import shown
from rankdistill.engines.sources import Source, ids_hash
from rankdistill.errors import ConfigError, DataError, SpaceMismatchError, StaleOutputError
from rankdistill.locations import cache_folder
from rankdistill.notes import note as tell_note
from rankdistill.progress import Progress

BATCH = 500
"""Documents that are written together: 0.75 MB of 384 float32."""

PARAMETERS = ("m", "efConstruction")
"""Of the graph."""


@dataclass(frozen=True)
class Push:
    """What a push did.

    Args:
        documents: that the collection holds.
        sent: of them, how many this call wrote.
        version: of the engine.
        note: what the collection says of itself.
    """

    documents: int
    sent: int
    version: str
    note: Note


def push(
    engine: Engine,
    url: str,
    source: Source,
    *,
    exact: bool = False,
    graph: Mapping[str, float] | None = None,
    replace_collection: bool = False,
    batch: int = BATCH,
    progress: Progress = lambda done: None,
) -> Push:
    """Write `source` into the collection of `engine`, unless it is there.

    How far it came is kept in this user's cache after every batch, and believed only if the collection has at least as
    many documents. What is written twice is replaced, so a killed push leaves nothing that the next does not mend.

    Args:
        engine: opened; it is not closed here.
        url: where it is, to tell collections apart.
        source: what to write.
        exact: build no graph.
        graph: parameters of the graph, see `Shape`.
        replace_collection: remove a collection of the name first, whatever it holds, unless it holds this source.
        batch: documents written together.
        progress: called with the number of documents just written, or found to be there.

    Raises:
        SpaceMismatchError: the collection holds vectors of another space.
        StaleOutputError: it holds other documents of the same space, or has another kind of index.
        DataError: it holds what no push wrote, or comes short at the end.
        ConfigError: vectors that the engine cannot hold.
        LockedError: another process of this user pushes into the same collection.
        RemoteError: the engine does not answer, or refuses.
    """
    _require_kinds(engine, source.legs)
    count, identity = len(source.ids), source.identity
    parameters = {name: int(one) for name, one in (graph or {}).items()}
    wanted = Note(source.legs, identity, ids_hash(source.ids), count, exact, uuid.uuid4().hex)
    wanted = replace(wanted, graph={} if exact else {**GRAPH, **parameters}, contents=source.contents)
    shape = Shape(source.legs, source.fields, source.texts, exact, parameters, count)
    folder = _folder(engine, url)
    with files.exclusive(folder):
        found = _found(engine, wanted, replace_collection)
        if found is None:
            engine.create(shape, wanted.dumps())
            found = wanted
        kept = _Progress(folder, found)
        held, start = engine.count(), min(kept.read(), count)
        if found.complete and held == count:
            progress(count)
            return Push(count, 0, engine.version, found)
        if held < start:
            start = 0
        engine.rewind(start)
        progress(start)
        for part in source.batches(start, batch):
            engine.write(part)
            kept.write(part.start + len(part))
            progress(len(part))
        engine.finish(shape)
        _require_count(engine, count, url)
        made = replace(found, complete=True)
        engine.keep_note(made.dumps())
        kept.remove()
    return Push(count, count - start, engine.version, made)


def read_note(engine: Engine, url: str) -> Note:
    """What the collection says of itself.

    Raises:
        DataError: there is no such collection, no push made it, or a push into it has not finished.
        SpaceMismatchError: the note was edited.
    """
    text = engine.read_note()
    if text is None:
        raise DataError(
            expected=f"a collection {engine.collection!r} of {engine.name} at {shown(url)}",
            got="there is none",
            consequence="nothing was searched",
            remedy=f"make it: rankdistill push --to {engine.name} --index INDEX --url URL "
            f"--collection {engine.collection}",
        )
    note = Note.loads(text, engine.collection)
    if not note.complete:
        raise DataError(
            expected=f"a collection {engine.collection!r} that a push has finished",
            got="one in which documents are still missing",
            consequence="nothing was searched: documents would not be found",
            remedy="run the same `rankdistill push` again: it goes on where it stopped",
        )
    return note


def _found(engine: Engine, wanted: Note, replace_collection: bool) -> Note | None:
    """The note of the collection that is there and fits; None where one is to be made."""
    text = engine.read_note()
    if text is None:
        return None
    try:
        found = Note.loads(text, engine.collection)
        require_same_spaces(found, wanted.legs, engine.collection)
        other_graph = found.graph is not None and found.graph != wanted.graph
        if (found.source, found.exact) != (wanted.source, wanted.exact) or other_graph:
            differing = "the same vectors' space, but from another source"
            if found.source == wanted.source:
                differing = f"the same documents, {'without' if found.exact else 'with'} a graph"
                if not found.exact and not wanted.exact:
                    differing += f" of {_parameters(found.graph)}, where {_parameters(wanted.graph)} are asked for"
            raise StaleOutputError(
                expected=f"a collection {engine.collection!r} of this source, or none",
                got=differing,
                consequence="nothing was pushed: documents of both would be mixed, or the search be another",
                remedy="push into another --collection, and let your readers follow; or give --replace, which removes "
                "this one and all that it holds",
            )
    except (DataError, StaleOutputError, SpaceMismatchError) as error:
        if not replace_collection:
            raise
        tell_note(f"{engine.collection} is removed and made anew; it held: {error.got}")
    else:
        return found
    engine.drop()
    return None


def _parameters(graph: Mapping[str, int] | None) -> str:
    return ", ".join(f"{name}={value}" for name, value in sorted((graph or {}).items()))


def _folder(engine: Engine, url: str) -> Path:
    """The folder of this user's cache for pushes into this collection, one of which may run at a time."""
    return cache_folder() / "pushes" / manifest.digest([engine.name, shown(url), engine.collection])[:32]


class _Progress:
    """How many documents of a source are written, in a file."""

    def __init__(self, folder: Path, note: Note) -> None:
        self._path = folder / "written.json"
        self._token = note.token

    def read(self) -> int:
        """0 where nothing is known, or what is known is of an earlier collection of this name."""
        try:
            found = plain_json.loads(self._path.read_text(encoding="utf-8"))
            return int(found["written"]) if found["token"] == self._token else 0
        except (OSError, ValueError, KeyError, TypeError):
            return 0

    def write(self, written: int) -> None:
        files.write_text(self._path, json.dumps({"token": self._token, "written": written}) + "\n")

    def remove(self) -> None:
        self._path.unlink(missing_ok=True)


def _require_kinds(engine: Engine, legs: Mapping[LegName, object]) -> None:
    if unknown := [name for name in legs if name not in engine.kinds]:
        raise ConfigError(
            expected=f"vectors that {engine.name} holds: {', '.join(engine.kinds)}",
            got=", ".join(unknown),
            consequence="nothing was pushed",
            remedy="push to an engine that has sparse vectors; docs/engines.md lists them",
        )


def _require_count(engine: Engine, count: int, url: str) -> None:
    if (held := engine.count()) != count:
        raise DataError(
            expected=f"{count:,} documents in {engine.collection!r} of {engine.name} at {shown(url)}",
            got=f"{held:,}",
            consequence="the collection is not marked as complete, and is not evaluated",
            remedy="see whether others write into it; then push with --replace"
            if held > count
            else "run the same push again; if it comes short again, push with --replace",
        )
