"""`queries`: a collection with queries made of its documents alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rankdistill.errors import ConfigError
from rankdistill.indexing.sources import KINDS
from rankdistill.mining.source import Source
from rankdistill.mining.sources import Bm25Source, named
from rankdistill.mining.tokenisers import script_note
from rankdistill.models import resolve
from rankdistill.notes import note, tell
from rankdistill.progress import ProgressLike, reporter_of
from rankdistill.querying import registry
from rankdistill.querying.building import Wanted, build
from rankdistill.querying.corpus import Corpus
from rankdistill.querying.generator import MeteredGenerator
from rankdistill.querying.result import Generated
from rankdistill.verbs.arguments import Data, Place, collection_of, place_of, require_length, require_range
from rankdistill.verbs.contract import verb

COLLAPSED = 0.2
"""The share of a kind's queries that repeat themselves from which a note says so."""


@verb
def queries(
    data: Data,
    out: Place,
    generators: str | Mapping[str, Any] | Sequence[str | Mapping[str, Any]] = (registry.DEFAULT,),
    *,
    split: str = "train",
    per_document: int = 3,
    limit_documents: int | None = None,
    teacher: str | Source = "bm25",
    max_length: int | None = None,
    round_trip: int = 10,
    shortest: int = 2,
    longest: int = 40,
    near_duplicate: float = 0.7,
    dev: int = 0,
    test: int = 0,
    unjudged: bool = False,
    cache: Place | None = None,
    unit_size: int = 64,
    lenient: bool = False,
    progress: ProgressLike = False,
    command: str = "",
) -> Generated:
    """Make queries of documents, and write them with the documents as a collection that every verb takes.

    Labels and queries of `split` are not looked at. Other splits come along, with their queries and judgements; a
    generated query that says the same as one of theirs goes.

    Args:
        data: the collection; documents alone will do.
        out: folder for the new collection; one that holds exactly this is left as it is.
        generators: `embedded`, `titles`, `headings`, `first_sentences`, `spans`, `keywords`, `seq2seq:MODEL`,
            `causal:MODEL`, or a YAML file with `kind` and that kind's settings, or these as a mapping.
        split: what the split of generated queries is called.
        per_document: queries of a document that each generator is asked for.
        limit_documents: make queries of so many documents only, chosen by hash.
        teacher: what searches for each query: `bm25[:TOKENIZER]`, an embedding, sparse or multi-vector model, or
            another source of `mine`; its document must be among the first found.
        max_length: tokens that the teacher reads of a text; its own limit unless given.
        round_trip: how many are the first; 0: no search.
        shortest: words of a query at least.
        longest: words of a query at most.
        near_duplicate: similarity of two queries (Jaccard, of runs of four words) from which the later one goes; 0:
            only equal ones do.
        dev: let so many of the queries be the split `dev`, where the collection has none.
        test: likewise `test`.
        unjudged: let the queries that no split judges come along too, as those of a query log.
        cache: folder in which the queries of models and services are kept for other calls, by content.
        unit_size: documents that a model is asked about at a time: what a kill can cost.
        lenient: leave bad rows of the data out instead of stopping.
        progress: True tells on standard error; or a function that takes the number of documents or texts just done.
        command: the command line, for the manifest.

    Returns:
        The counts of each kind, made and dropped by reason; stands for the new collection's folder.

    Raises:
        ConfigError: no such generator or teacher, or settings that do not fit together.
        DataError: the collection cannot be used, or no query is left.
        TeacherError: a model or service fails; what it gave is kept, and the same call goes on from there.
        StaleOutputError, OutputError: `out` holds something else.
    """
    require_range(1, per_document=per_document, limit_documents=limit_documents, unit_size=unit_size)
    require_range(0, round_trip=round_trip, dev=dev, test=test)
    require_range(1, shortest=shortest)
    require_range(shortest, longest=longest)
    require_range(0, 1, near_duplicate=near_duplicate)
    require_length(max_length=max_length)
    asked = [generators] if isinstance(generators, str | Mapping) else list(generators)
    if not asked:
        raise ConfigError(
            expected="at least one generator",
            got="none",
            consequence="nothing was generated",
            remedy=f"leave generators out for {registry.DEFAULT}",
        )
    source = searcher_of(teacher, max_length) if round_trip else None
    dataset = collection_of(data, lenient=lenient)
    corpus = Corpus(dataset)
    loaded = [registry.named(one, corpus) for one in asked]
    wanted = Wanted(
        split, per_document, limit_documents, round_trip, shortest, longest, near_duplicate, dev, test, unjudged
    )
    try:
        result = build(
            place_of(out),
            dataset,
            loaded,
            source,
            wanted,
            cache=None if cache is None else place_of(cache),
            unit_size=unit_size,
            reporter=reporter_of(progress),
            command=command,
        )
    finally:
        for one in loaded:
            if isinstance(one, MeteredGenerator):
                tell(one.spent())
    if isinstance(source, Bm25Source):
        note(script_note(source.tokenizer, (document.contents for document in dataset.documents())))
    for line in result.collapsed(COLLAPSED):
        note(line)
    return result


def searcher_of(teacher: str | Source, max_length: int | None = None) -> Source:
    """What searches for generated queries: a source as `mine` takes it, or a model, whose kind is looked up.

    Raises:
        ConfigError: no such source, or a model that cannot search.
        ModelReferenceError: there is no such model.
    """
    if not isinstance(teacher, str):
        return teacher
    kind, colon, _ = teacher.partition("=")[-1].partition(":") if "=" in teacher else teacher.partition(":")
    if kind in KINDS and (colon or KINDS[kind].optional or KINDS[kind].argument is None):
        return named(teacher, None, max_length, KINDS)
    from rankdistill.inference.loading import kind_of

    found = kind_of(resolve(teacher).path)
    sources = {"encoder": "dense", "sparse": "sparse", "multi_vector": "multi-vector"}
    if found not in sources:
        raise ConfigError(
            expected="a teacher that searches: an embedding, sparse or multi-vector model, or bm25",
            got=f"{teacher}, a model of kind {found}",
            consequence="nothing was generated: it would have to score every query with every document",
            remedy="name another one for this; a cross-encoder scores the queries afterwards (`rankdistill score`)",
        )
    return named(f"{sources[found]}:{teacher}", None, max_length, KINDS)
