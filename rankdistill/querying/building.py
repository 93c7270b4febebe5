"""Making the collection: generate, sieve, search for what is left, divide, write."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rankdistill import files, manifest
from rankdistill.data import Dataset
from rankdistill.data.document_store import Documents
from rankdistill.data.writer import ARTEFACT
from rankdistill.errors import ConfigError, DataError
from rankdistill.making import making
from rankdistill.mining.source import Source
from rankdistill.progress import Reporter
from rankdistill.querying import collection
from rankdistill.querying.cache import Cache
from rankdistill.querying.generating import generate_all
from rankdistill.querying.generator import Generator, Written
from rankdistill.querying.result import FILE_NAME, Generated
from rankdistill.querying.sieve import Query, Sieve
from rankdistill.records import Document
from rankdistill.sessions.reading import rewrites_of


@dataclass(frozen=True)
class Wanted:
    """What decides a collection of generated queries besides documents and generators.

    Args:
        split: what the split of generated queries is called; other splits of the collection come along.
        per_document: queries of a document that each generator is asked for.
        limit_documents: ask about so many documents only, chosen by hash; None: all.
        round_trip: a query stays if its document is among the first so many that a search for it finds; 0: no search.
        shortest: words of a query at least.
        longest: words of a query at most.
        near_duplicate: similarity from which one of two queries goes; 0: none goes.
        dev: so many of the queries become the split `dev`.
        test: likewise.
        unjudged: whether the collection's queries that no split judges come along.
    """

    split: str
    per_document: int
    limit_documents: int | None
    round_trip: int
    shortest: int
    longest: int
    near_duplicate: float
    dev: int
    test: int
    unjudged: bool = False

    @property
    def decisive(self) -> dict[str, Any]:
        """The fields, as a manifest has them; one that was not always there only where it is set."""
        return {name: value for name, value in vars(self).items() if name != "unjudged" or value}

    def kept(self, dataset: Dataset) -> list[str]:
        """The splits of `dataset` that come along.

        Raises:
            ConfigError: a split would be both kept and generated.
        """
        kept = [split for split in dataset.splits if split != self.split]
        asked = [name for name, size in ((collection.DEV, self.dev), (collection.TEST, self.test)) if size]
        if twice := [name for name in asked if name in kept or name == self.split]:
            raise ConfigError(
                expected="splits of generated queries that the collection has not",
                got=f"{twice[0]!r}, which it has" if twice[0] in kept else f"{twice[0]!r} twice",
                consequence="nothing was generated: two sets of queries would have one name",
                remedy=f"leave {twice[0]} out, and the collection's own is kept; or name another split",
            )
        return kept


def describe(
    dataset: Dataset, generators: Sequence[Generator], source: Source | None, wanted: Wanted, command: str
) -> manifest.Manifest:
    """The manifest of the collection."""
    kept = wanted.kept(dataset)
    inputs = {"dataset": dataset.fingerprint} | {f"qrels.{split}": dataset.qrels_hash(split) for split in kept}
    if rewrites := _rewrites(dataset, kept):
        inputs["rewrites"] = manifest.digest(rewrites)
    parameters: dict[str, Any] = {
        "source": dataset.name,
        "generators": [dict(one.fingerprint) for one in generators],
        **wanted.decisive,
        "kept": kept,
        "ignore_identical_ids": dataset.ignore_identical_ids,
    }
    if source is not None:
        parameters["found_by"] = {source.name: dict(source.parameters)}
        inputs |= {f"{source.name}.{name}": content for name, content in source.inputs.items()}
    return manifest.Manifest(ARTEFACT, inputs, parameters, manifest.versions_of("bm25s", "PyStemmer"), command)


def _rewrites(dataset: Dataset, splits: Sequence[str]) -> list[str]:
    """Those of the questions that these splits judge, where the collection has conversations."""
    return rewrites_of(dataset.path, {query_id for split in splits for query_id in dataset.judgements[split]})


def build(
    out: Path,
    dataset: Dataset,
    generators: Sequence[Generator],
    source: Source | None,
    wanted: Wanted,
    *,
    cache: Path | None,
    unit_size: int,
    reporter: Reporter,
    command: str = "",
) -> Generated:
    """Make the collection in `out`, unless it is there; interrupted at will, the same call goes on.

    Args:
        out: the folder.
        dataset: whose documents.
        generators: each is asked about every document.
        source: what searches for the queries; None: nothing does.
        wanted: see `Wanted`.
        cache: where queries of costly generators stay for other calls; None: in `out`, until it is done.
        unit_size: documents that a generator is asked about at a time.
        reporter: is told how far it is.
        command: for the manifest.

    Raises:
        DataError: no query is left, or no document was chosen.
        TeacherError: a generator fails; what it gave is kept.
        StaleOutputError, OutputError: `out` holds something else.
    """
    made_by = describe(dataset, generators, source, wanted, command)
    with making(out, made_by, check=lambda: collection.require_own(out), again=False) as made:
        if made.current:
            files.remove_folder(out / collection.WORK)
            return Generated.read(out)
        collection.require_own(out)
        files.make_folder(out / collection.WORK)
        kept = wanted.kept(dataset)
        judged = {dataset.query_texts[query_id] for split in kept for query_id in dataset.judgements[split]}
        judged.update(_rewrites(dataset, kept))
        along = dataset.unjudged if wanted.unjudged else {}
        documents = chosen(dataset, wanted.limit_documents)
        written = _generated(documents, generators, wanted, cache or out / collection.WORK, unit_size, reporter)
        sieve = Sieve(wanted.shortest, wanted.longest, wanted.near_duplicate, judged | set(along.values()))
        for one in generators:
            sieve.counts.made.update(dict.fromkeys(_kinds(one), 0))  # one that made nothing is told, too
        queries = sieve.gather(written, dataset.contents)
        if source is not None and queries:
            queries = _that_find(queries, sieve, dataset, source, wanted.round_trip, reporter)
        whole = collection.wholes(dataset)
        divided = sieve.apart(collection.divided(queries, wanted.split, wanted.dev, wanted.test, whole), whole)
        covered = {doc_id for own in divided.values() for one in own for doc_id in one.documents}
        sizes = {split: len(divided[split]) for split in sorted(divided)}
        result = Generated.of(out, len(documents), len(covered), sizes, sieve.counts)
        _require_some(result, wanted.split)
        paths = collection.write(out, dataset, kept, divided, along)
        files.write_text(out / FILE_NAME, result.text)
        made.wrote([*paths, out / FILE_NAME])
    files.remove_folder(out / collection.WORK)
    return result


def chosen(dataset: Dataset, limit: int | None) -> Sequence[Document]:
    """The documents that are asked about, in file order; `limit` of them by hash, a smaller limit giving a subset."""
    ids: Collection[str] = dataset.document_lines.keys()
    if limit is not None and limit < len(ids):
        ids = {*sorted(ids, key=lambda doc_id: hashlib.sha256(doc_id.encode()).digest())[:limit]}
    return Documents(document for document in dataset.documents() if document.doc_id in ids)


def _generated(
    documents: Sequence[Document],
    generators: Sequence[Generator],
    wanted: Wanted,
    folder: Path,
    unit_size: int,
    reporter: Reporter,
) -> Mapping[str, list[Written]]:
    """Document id -> what all generators made of it."""
    found: dict[str, list[Written]] = {document.doc_id: [] for document in documents}
    with reporter.stage("generating", "documents", len(documents) * len(generators)) as stage:
        for one in generators:
            count = wanted.per_document
            cache = Cache(folder, one.fingerprint, count) if one.costly else None
            lists = generate_all(one, documents, count, unit_size, cache, stage)
            for document, written in zip(documents, lists, strict=True):
                found[document.doc_id] += written
    return found


def _kinds(generator: Generator) -> list[str]:
    """The kinds of the queries that it makes: a mixture's are its parts'."""
    fingerprint = generator.fingerprint
    return [str(part["kind"]) for part in fingerprint.get("parts", [fingerprint])]


def _that_find(
    queries: Sequence[Query], sieve: Sieve, dataset: Dataset, source: Source, depth: int, reporter: Reporter
) -> list[Query]:
    """The queries whose search finds their document among the first `depth`."""
    with reporter.stage("searching", "texts", len(dataset.doc_ids) + len(queries)) as stage:
        lists, _ = source.retrieve(dataset.contents, [one.text for one in queries], depth, stage)
    return sieve.found(queries, lists)


def _require_some(result: Generated, split: str) -> None:
    if result.splits.get(split):
        return
    why = "; ".join(
        f"{kind} made {one['made']:,}"
        + "".join(f", {count:,} of them dropped: {reason}" for reason, count in one["dropped"].items())
        for kind, one in result.kinds.items()
    )
    collapsed = result.collapsed(0.2)
    raise DataError(
        expected=f"queries for the split {split!r}",
        got=f"none of {result.documents:,} documents: {why}",
        consequence="no collection was written",
        remedy=(
            "the generator repeats itself: take another model, or change its prompt or sampling"
            if collapsed
            else "take another generator, or let more through (--round-trip, --shortest, --near-duplicate; in a recipe "
            "queries.round_trip, queries.shortest, queries.near_duplicate)"
        ),
    )
