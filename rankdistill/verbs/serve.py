"""`serve`: a model's towers and indexes behind HTTP, until a signal stops it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rankdistill._extras import require
from rankdistill.display import Shown
from rankdistill.errors import ConfigError
from rankdistill.models import name_of
from rankdistill.notes import note, tell
from rankdistill.serving.contracts import Limits, Side
from rankdistill.serving.settings import ServeSettings, Sources
from rankdistill.verbs.arguments import Model, Place, fusion_of, listed, place_of, reference_of
from rankdistill.verbs.contract import verb
from rankdistill.verbs.parameters import SearchParameters, parameters_of

if TYPE_CHECKING:
    import polars as pl

LOOPBACK = ("127.", "::1", "localhost")

Models = Model | Sequence[Model] | Mapping[str, Model]
"""Further models: references, `NAME=REFERENCE`, or name -> reference."""

Indexes = Place | Sequence[Place] | Mapping[str, Place]
"""Indexes: folders, `NAME=FOLDER`, or name -> folder."""


@dataclass(frozen=True)
class Serving(Shown):
    """What is served, told when it is warm.

    Args:
        url: where.
        models: of each its name, kind, sides, dimension, back end and precision.
        indexes: the names of the indexes.
        modes: of search.
        routes: as `POST /v1/embeddings`.
        keys: how many API keys are known; None: nobody is asked for one.
        workers: processes.
    """

    url: str
    models: Sequence[Mapping[str, Any]]
    indexes: Sequence[str]
    modes: Sequence[str]
    routes: Sequence[str]
    keys: int | None
    workers: int

    def lines(self) -> list[str]:
        """The address, a line a model, the indexes, the routes."""
        found = [f"serving at {self.url}"]
        for model in self.models:
            size = "" if model["dimension"] is None else f", {model['dimension']:,} dimensions"
            sides = f", encodes {' and '.join(map(_many, model['sides']))}" if model["sides"] else ""
            reranks = ", re-ranks" if model["reranks"] else ""
            found.append(
                f"  model {model['name']}: {model['kind']}{size}{sides}{reranks}; "
                f"runs on {model['backend']} ({model['precision']})"
            )
        if self.indexes:
            found.append(f"  indexes {', '.join(self.indexes)}; modes {', '.join(self.modes)}")
        found.append(f"  routes {', '.join(self.routes)}")
        workers = f", {self.workers} workers" if self.workers > 1 else ""
        keys = "no API keys" if self.keys is None else f"{self.keys} API key{'' if self.keys == 1 else 's'}"
        found.append(f"  {keys}{workers}; SIGTERM drains")
        return found

    def to_polars(self) -> pl.DataFrame:
        """A row a model."""
        import polars as pl

        return pl.DataFrame([dict(model) for model in self.models])

    def to_json(self) -> dict[str, Any]:
        """All of it."""
        return dict(vars(self))


def _many(side: str) -> str:
    return {"query": "queries", "document": "documents"}[side]


@verb
def serve(
    model: Model,
    indexes: Indexes | None = None,
    *,
    models: Models | None = None,
    reranker: Model | None = None,
    host: str = "127.0.0.1",
    port: int = 8080,
    api_key_file: Place | None = None,
    workers: int = 1,
    threads: int | None = None,
    backend: str = "fast",
    default_input_type: Side | None = None,
    cors: str | Sequence[str] | None = None,
    rerank_depth: int = 100,
    search_parameters: SearchParameters | None = None,
    data: Place | None = None,
    fusion: str | None = None,
    weights: Sequence[float] | None = None,
    wait: float = Limits.wait,
    drain: float = Limits.drain,
    header_seconds: float = Limits.header_seconds,
    max_body: int = Limits.body,
    max_inputs: int = Limits.inputs,
    max_client_batch: int = Limits.client_batch,
    max_tokens: int = Limits.tokens,
    batch_tokens: int | None = Limits.batch_tokens,
    max_k: int = Limits.k,
    max_searches: int = Limits.searches,
    max_connections: int = Limits.connections,
    cache: int = Limits.cache,
    access_log: bool = False,
    started: Callable[[Serving], object] | None = None,
) -> None:
    """Serve a model, and indexes of its space, over HTTP; returns when SIGTERM or SIGINT stopped it.

    SIGHUP, or a symbolic link among what is served that leads elsewhere, loads what is there now beside the old and
    exchanges the two without dropping a request.

    Args:
        model: a bundle, or a dense, static, sparse or multi-vector student.
        indexes: folders of `rankdistill index`, of the model's space; `NAME=FOLDER` names one.
        models: further ones that requests may name; `NAME=REFERENCE` names one.
        reranker: a cross-encoder or a multi-vector model, for `/rerank` and for searches that ask for it.
        host: address to listen on; this machine alone unless given.
        port: to listen on; 0 takes a free one.
        api_key_file: keys, one a line; else those of the variable RANKDISTILL_API_KEYS, if it is set.
        workers: processes; each has the models, indexes are shared.
        threads: of computing, a worker; None: the cores, shared among the workers.
        backend: what runs the models; `fast` measures which is the fastest that keeps the ranking.
        default_input_type: what a text is where a request does not say it and the model's towers differ.
        cors: origins whose pages may ask, as `https://example.org`.
        rerank_depth: documents a query that are re-ranked.
        search_parameters: such as `efSearch`; `INDEX:NAME` of one of several indexes.
        data: the collection, whose whole texts are re-ranked and shown; what the indexes keep unless given.
        fusion: how indexes of the same documents are fused: `rrf` unless given, `min_max` or `z_score`.
        weights: of the fusion, one an index.
        wait: seconds that a request may be estimated to wait; one that would wait longer is refused (429).
        drain: seconds that requests may take after SIGTERM.
        header_seconds: for a request to arrive, head and body.
        max_body: bytes of a request.
        max_inputs: texts of a request to `/v1/embeddings` and `/v2/embed`.
        max_client_batch: texts of a request to `/embed`, `/embed_sparse` and `/rerank`.
        max_tokens: of all texts of a request.
        batch_tokens: tokens of a batch of inference; None: the back end's own.
        max_k: documents of a search.
        max_searches: entries of `/search/batch`.
        max_connections: open at once, a worker.
        cache: vectors of repeated texts that are kept, a model.
        access_log: a line a request on standard error.
        started: called when all is warm.

    Raises:
        ConfigError: a setting that makes no sense, two things of one name, a port that is taken, keys that are none.
        ModelReferenceError: there is no such model.
        DataError: there is no such index.
        SpaceMismatchError: an index is of another space than the models.
        MissingDependencyError: the extra `serve` is not installed.
    """
    limits = Limits(
        body=max_body,
        inputs=max_inputs,
        client_batch=max_client_batch,
        tokens=max_tokens,
        wait=wait,
        batch_tokens=batch_tokens,
        k=max_k,
        searches=max_searches,
        connections=max_connections,
        header_seconds=header_seconds,
        drain=drain,
        cache=cache,
    )
    _require_sane(limits, workers, threads, port, rerank_depth)
    for library in ("uvicorn", "uvloop", "httptools", "fastapi", "orjson", "prometheus_client"):
        require(library, "the server")
    from rankdistill.serving.listening import allow_files, listen, url_of
    from rankdistill.serving.security import Keys

    served = _sources(model, models, reranker, indexes)
    folders = list(served.indexes.values())
    parameters = dict(zip(served.indexes, parameters_of(search_parameters, folders), strict=True))
    key_file = None if api_key_file is None else str(place_of(api_key_file))
    keys = Keys.from_environment() if key_file is None else Keys.read(key_file)
    if keys is None and not host.startswith(LOOPBACK):
        note(f"no API keys: whoever reaches {host}:{port} may ask, and read the indexes; see --api-key-file")
    fused = fusion_of(fusion, weights)
    settings = ServeSettings(
        backend=backend,
        threads=threads if threads is not None or workers == 1 else max(1, _cores() // workers),
        default_side=default_input_type,
        key_file=key_file,
        cors=tuple(listed(cors)),
        rerank_depth=rerank_depth,
        parameters=parameters,
        data=None if data is None else str(place_of(data)),
        fusion=None if fused is None else (fused.method, fused.weights),
        limits=limits,
        access_log=access_log,
    )
    allow_files(max_connections)
    listener = listen(host, port)
    url = url_of(listener)
    tell(f"listening at {url}; loading and warming up, /ready says when")

    def warm(found: Mapping[str, Any]) -> None:
        if started is not None:
            started(
                Serving(
                    url,
                    found["models"],
                    found["indexes"],
                    found["modes"],
                    _routes(bool(found["indexes"])),
                    None if keys is None else len(keys),
                    workers,
                )
            )

    with listener:
        if workers == 1:
            from rankdistill.serving.single import serve_here

            serve_here(settings, served, listener, warm)
        else:
            from rankdistill.serving.workers import serve_workers

            serve_workers(settings, served, listener, workers, warm)


def _sources(model: Model, models: Models | None, reranker: Model | None, indexes: Indexes | None) -> Sources:
    """What is served by name.

    Raises:
        ConfigError: two things of one name.
    """
    named = [*_named([model], reference_of), *_named(models, reference_of)]
    ranking = [] if reranker is None else list(_named([reranker], reference_of))
    found = [(name, str(place_of(folder))) for name, folder in _named(indexes, os.fspath)]
    # the model that re-ranks may be one that is served besides
    return Sources(
        models=_once([*named, *(one for one in ranking if one not in named)], "model"),
        indexes=_once(found, "index"),
        reranker=ranking[0][0] if ranking else None,
    )


def _named(given: Any, read: Callable[[Any], str]) -> Iterator[tuple[str, str]]:
    """Name and reference of each; the name is the folder's unless it is given."""
    if isinstance(given, Mapping):
        yield from ((name, read(one)) for name, one in given.items())
        return
    for one in listed(given):
        text = read(one)
        name, equals, reference = text.partition("=")
        if equals and name and "/" not in name and not Path(text).exists():
            yield name, read(reference)
        else:
            yield name_of(text), text


def _once(pairs: Sequence[tuple[str, str]], what: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, reference in pairs:
        if name in found:
            raise ConfigError(
                expected=f"another name for each {what}, since requests name it",
                got=f"{found[name]} and {reference}, both called {name!r}",
                consequence="nothing is served",
                remedy=f"name one of them: OTHER={reference}",
            )
        found[name] = reference
    return found


def _routes(searches: bool) -> list[str]:
    from rankdistill.serving.routes.registry import routes

    found = [f"{route.method} {route.path}" for route in routes() if route.listed]
    return [one for one in found if searches or "/search" not in one]


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _require_sane(limits: Limits, workers: int, threads: int | None, port: int, rerank_depth: int) -> None:
    """Raise ConfigError for a number that no server can keep."""
    least: dict[str, tuple[float | None, float]] = {
        "workers": (workers, 1),
        "threads": (threads, 1),
        "port": (port, 0),
        "rerank_depth": (rerank_depth, 1),
        "max_body": (limits.body, 1),
        "max_inputs": (limits.inputs, 1),
        "max_client_batch": (limits.client_batch, 1),
        "max_tokens": (limits.tokens, 1),
        "batch_tokens": (limits.batch_tokens, 1),
        "max_k": (limits.k, 1),
        "max_searches": (limits.searches, 1),
        "max_connections": (limits.connections, 1),
        "cache": (limits.cache, 0),
        "wait": (limits.wait, 0),
        "drain": (limits.drain, 0),
        "header_seconds": (limits.header_seconds, 0.1),
    }
    for name, (value, lowest) in least.items():
        if value is not None and not (lowest <= value < float("inf")):
            raise _out_of_range(name, f"{lowest:g} at least", value)
    if port > 65535:
        raise _out_of_range("port", "65535 at most", port)


def _out_of_range(name: str, expected: str, value: float) -> ConfigError:
    return ConfigError(
        expected=f"{name} of {expected}",
        got=f"{value}",
        consequence="nothing is served",
        remedy="give another value, or leave the setting out",
    )
