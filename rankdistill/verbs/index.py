"""`index`: a corpus in an index: its dense or sparse vectors, or its words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from rankdistill import executors
from rankdistill.errors import ConfigError
from rankdistill.indexing import StoredIndex, build, load, recipes, registry
from rankdistill.indexing.filters.schema import parse_wanted
from rankdistill.indexing.recipes import IndexRecipe
from rankdistill.mining.tokenisers import DEFAULT, script_note
from rankdistill.notes import note
from rankdistill.progress import ProgressLike, reporter_of
from rankdistill.verbs.arguments import (
    Data,
    Model,
    Place,
    collection_of,
    listed,
    place_of,
    reference_of,
    require_length,
)
from rankdistill.verbs.contract import verb
from rankdistill.verbs.lengths import note_longer
from rankdistill.verbs.parameters import (
    BuildParameters,
    SearchParameters,
    build_parameters_of,
    search_parameters_of,
)


@verb
def index(
    data: Data,
    model: Model | None,
    out: Place,
    *,
    factory: str = "exact",
    recipe: Place | IndexRecipe | None = None,
    shard_size: int | None = None,
    search_parameters: SearchParameters | None = None,
    build_parameters: BuildParameters | None = None,
    kind: Literal["auto", "dense", "sparse", "multi_vector", "text"] = "auto",
    max_length: int | None = None,
    backend: str | Sequence[str] = ("auto",),
    embeddings: Place | None = None,
    snippets: int = 200,
    fields: Mapping[str, str | None] | Sequence[str] | str | None = None,
    threads: int = 1,
    executor: str = "local",
    workers: int | None = None,
    lenient: bool = False,
    progress: ProgressLike = False,
    command: str = "",
) -> StoredIndex:
    """Encode a corpus, or take its words, and build an index that searches it.

    Args:
        data: the collection; only its documents are read.
        model: an encoder (dense, sparse, multi-vector) or a bundle; None where words are compared, as by BM25.
        out: folder for the index; one that holds exactly this index is left as it is.
        factory: a back end (`exact`, `seismic`, `lucene`, `bm25`, ...), or a FAISS factory string: `HNSW32`, ...
        recipe: a YAML file, or the name of one of the package, as `hnsw32`, instead of `factory`, `shard_size` and the
            parameters.
        shard_size: documents a shard, which bounds the memory; unless given one shard, or as many as it takes for
            each to be built in 1 GiB. Of `exact` and `bm25` memory does not grow with the shard.
        search_parameters: kept as the index's defaults: `efSearch`, `nprobe`, ...
        build_parameters: of the back end: `k1`, `b` and `tokenizer` of bm25, ...
        kind: what the model is used as; found from its configuration. A bare masked language model may be `dense`.
        max_length: tokens a text; the model's own unless given.
        backend: what searches, as `factory`; or what runs the model: `auto`, `fast`, `torch`, ...; or one of each.
        embeddings: folder of an embedding store of the model, as `embed` makes; what it holds is not encoded again.
        snippets: characters of each document to keep for showing; 0 keeps none.
        fields: of the documents' metadata to keep, for filters and for showing: names, `NAME:TYPE`, or name -> type
            (`string`, `strings`, `integer`, `number`, `boolean`, `date`); without one, what holds all values.
        threads: that add to FAISS; with more than 1, HNSW differs from run to run.
        executor: who encodes: `local`, this process; `ray`, workers of a cluster.
        workers: of `ray`; one a GPU or core unless given.
        lenient: leave bad rows out instead of stopping.
        progress: True tells on standard error; or a function that takes the number of documents just encoded.
        command: the command line, for the manifest.

    Returns:
        The index, ready to be searched.

    Raises:
        ConfigError: settings that are unknown or do not fit together; a factory that does not suit the vectors.
        DataError: the collection cannot be used, or is empty; a field that no document has, or values of two types.
        ModelReferenceError: there is no such model.
        SpaceMismatchError: the embeddings are not the model's.
        StaleOutputError: `out` holds another index.
    """
    require_length(max_length=max_length)
    reference = None if model is None else reference_of(model)
    note_longer(reference, max_length)
    runner = executors.create(executor, workers)
    searching, running = split_backends(listed(backend))
    given = {
        "factory": _factory(factory, searching),
        "shard_size": shard_size,
        "search_parameters": search_parameters_of(search_parameters),
        "build_parameters": build_parameters_of(build_parameters),
    }
    chosen = recipes.check(given) if recipe is None else _recipe(recipe, recipes.check(given))
    dataset = collection_of(data, lenient=lenient)
    folder = place_of(out)
    with reporter_of(progress).stage("index", "docs", len(dataset.document_lines)) as stage:
        build(
            dataset,
            reference,
            folder,
            chosen.factory,
            chosen.shard_size,
            kind=None if kind == "auto" else kind,
            search_parameters=chosen.search_parameters,
            build_parameters=chosen.build_parameters,
            snippet_length=snippets,
            fields=parse_wanted(fields if isinstance(fields, Mapping) else listed(fields)),
            threads=threads,
            max_length=max_length,
            backend=running,
            embeddings=None if embeddings is None else place_of(embeddings),
            executor=runner,
            command=command,
            progress=stage,
        )
    if chosen.factory == "bm25":
        note(
            script_note(
                str(chosen.build_parameters.get("tokenizer", DEFAULT)),
                (document.contents for document in dataset.documents()),
            )
        )
    return load(folder)


def split_backends(given: Sequence[str]) -> tuple[str | None, str]:
    """The back end of the index, None where none is named, and the one that runs the model, `auto` by default.

    Raises:
        ConfigError: a name of neither, or two of one kind.
    """
    from rankdistill.inference.backends import BACKENDS, FAST

    searching = registry.names()
    of_index = [name for name in given if name in searching]
    of_model = [name for name in given if name not in searching]
    if len(of_index) > 1 or len(of_model) > 1 or not set(of_model) <= {"auto", FAST, *BACKENDS}:
        raise ConfigError(
            expected=f"at most one back end of the index ({', '.join(searching)}) "
            f"and one that runs the model (auto, {FAST}, {', '.join(BACKENDS)})",
            got=", ".join(map(repr, given)),
            consequence="nothing was run",
            remedy="name some of those; FAISS takes --factory",
        )
    return next(iter(of_index), None), next(iter(of_model), "auto")


def _factory(factory: str, searching: str | None) -> str:
    if searching is not None and factory not in (recipes.check({}).factory, searching):
        raise ConfigError(
            expected="one back end of the index, in factory (--factory) or in backend (--backend)",
            got=f"the factory {factory!r} and the back end {searching!r}",
            consequence="nothing was run: one of the two would have no effect",
            remedy="leave one of them out",
        )
    return searching or factory


def _recipe(recipe: Place | IndexRecipe, given: IndexRecipe) -> IndexRecipe:
    """The recipe, where nothing else is given that it would win over."""
    beside = given.model_dump(exclude_defaults=True)
    if beside:
        raise ConfigError(
            expected="an index recipe (--recipe), or the settings that it holds, not both",
            got=f"a recipe and {', '.join(f'{name}={value!r}' for name, value in beside.items())}",
            consequence="nothing was run: they would have no effect",
            remedy="write them into the recipe, or leave the recipe out",
        )
    return recipe if isinstance(recipe, IndexRecipe) else recipes.read(place_of(recipe))
