"""BEIR folders: `corpus.jsonl`, `queries.jsonl` and `qrels/<split>.tsv`, each plain or `.gz`.

Only the corpus must be there: documents alone are indexed and embedded, and queries without judgements, as of a query
log, are mined, scored and trained on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rankdistill import integrity, locations, manifest
from rankdistill.data import identical_ids, lines, meta
from rankdistill.data.bad_rows import BadRows, Mode
from rankdistill.data.beir_rows import parse_document, parse_qrels, parse_query, parse_rows
from rankdistill.data.packed import Numbers
from rankdistill.data.text_store import Texts
from rankdistill.display import Shown, Table
from rankdistill.errors import DataError
from rankdistill.records import Document

if TYPE_CHECKING:
    import polars as pl

CORPUS, QUERIES, QRELS = "corpus.jsonl", "queries.jsonl", "qrels"

TRAIN = "train"

UNJUDGED = "unjudged"
"""Named as a split: the queries that no split judges. No qrels file may have this name."""

LEFT_OUT, DANGLING = "own_documents_left_out", "dangling_judgements"
"""In manifests and signatures: see `Dataset.left_out` and `Dataset.dangling`; absent where they are 0."""


@dataclass(frozen=True, eq=False, repr=False)
class Dataset(Shown):
    """A BEIR folder that `load` has checked; it prints as a count for each split.

    Args:
        path: the folder.
        corpus_path: its corpus file.
        document_lines: doc_id -> line of the corpus file, in file order.
        query_texts: query_id -> text, in file order; empty for documents alone.
        judgements: split -> query_id -> doc_id -> label.
        fingerprint: SHA-256 (hex) of what corpus and queries say; compressing the files does not change it.
        qrels_hashes: split -> SHA-256 (hex) of its qrels, likewise.
        reports: `file:line: problem` of each row left out; empty unless read leniently.
        ignore_identical_ids: whether rankings leave out the document that has the query's own id; None: the texts
            decide. See `rankdistill.data.identical_ids`.
        unusable_splits: those whose file, read leniently, has no usable row: which queries they judge is not known.
        origin: fingerprint of the collection whose documents these are, where the queries have other words than there
            (`asking`); "" of one as it lies there.
    """

    path: Path
    corpus_path: Path
    document_lines: Mapping[str, int] = field(repr=False)
    query_texts: Mapping[str, str] = field(repr=False)
    judgements: Mapping[str, Mapping[str, Mapping[str, int]]] = field(repr=False)
    fingerprint: str
    qrels_hashes: Mapping[str, str] = field(repr=False)
    reports: list[str] = field(repr=False)
    ignore_identical_ids: bool | None = None
    unusable_splits: tuple[str, ...] = ()
    origin: str = field(default="", repr=False)

    @property
    def name(self) -> str:
        """The source that the folder was made from, as `pydocs` or `mteb:SciFact`; else the folder's name."""
        made = manifest.read(self.path)
        folder = self.path.resolve().name
        return str(made.parameters.get("source", folder)) if made else folder

    @property
    def splits(self) -> list[str]:
        """The splits that have judgements, sorted."""
        return sorted(self.judgements)

    @property
    def default_split(self) -> str:
        """Whose queries are trained on where no split is named: `train`; without any judgement, all of them.

        That is `UNJUDGED`, and not a name of `splits`.
        """
        return TRAIN if self.splits or self.unusable_splits else UNJUDGED

    @cached_property
    def unjudged(self) -> Mapping[str, str]:
        """query_id -> text, in file order, of the queries that no split judges.

        None where a split cannot be read, since its queries would be among them.
        """
        if self.unusable_splits:
            return {}
        judged = {query_id for labels in self.judgements.values() for query_id in labels}
        return {query_id: text for query_id, text in self.query_texts.items() if query_id not in judged}

    @property
    def doc_ids(self) -> Sequence[str]:
        """All document ids, in file order."""
        return self.document_lines.strings if isinstance(self.document_lines, Numbers) else list(self.document_lines)

    @property
    def on_disk(self) -> str:
        """The fingerprint of the collection as it lies in its folder, whatever words the queries have here."""
        return self.origin or self.fingerprint

    def documents(self) -> Iterator[Document]:
        """The documents in file order, streamed from disk."""
        for _, line in lines.chosen(self.corpus_path, self.document_lines.values()):
            yield parse_document(line)

    @cached_property
    def contents(self) -> Mapping[str, str]:
        """doc_id -> title and text joined by a space, in file order; read once and kept as `text_store` says."""
        texts = (document.contents for document in self.documents())
        if isinstance(self.document_lines, Numbers):
            return Texts(self.document_lines, texts)
        return Texts.of_pairs(zip(self.document_lines, texts, strict=True))

    def queries(self, split: str | None = None) -> dict[str, str]:
        """query_id -> text, in file order: those judged in `split`, or all.

        Raises:
            DataError: no such split; the message lists the splits there are.
        """
        if split is None:
            return dict(self.query_texts)
        judged = self._judged(split)
        return {query_id: text for query_id, text in self.query_texts.items() if query_id in judged}

    def to_mine(self, split: str) -> dict[str, str]:
        """query_id -> text, in file order, of the queries of `split`, which may be `UNJUDGED`.

        Raises:
            DataError: no such split, or every query is judged by one.
        """
        if split != UNJUDGED:
            return self.queries(split)
        if not self.unjudged:
            why = f"all {len(self.query_texts):,} are judged" if self.query_texts else f"it has no {QUERIES}"
            if self.unusable_splits:
                why = f"which {', '.join(self.unusable_splits)} judges is not known: its file has no usable row"
            raise DataError(
                expected=f"queries of {self.path} that no split judges",
                got=f"none: {why}",
                consequence="nothing was run",
                remedy=f"name one of its splits: {', '.join(self.splits)}" if self.splits else f"add {QUERIES}",
            )
        return dict(self.unjudged)

    def qrels(self, split: str) -> dict[str, dict[str, int]]:
        """query_id -> doc_id -> label of `split`; a label above 0 is relevant. The corpus may lack some (`dangling`).

        Raises:
            DataError: no such split.
        """
        return {query_id: dict(labels) for query_id, labels in self._judged(split).items()}

    @cached_property
    def own_documents(self) -> frozenset[str]:
        """The queries of whose rankings, candidates and negatives the document of the same id is left out.

        `rankdistill.data.identical_ids` says which.
        """
        if self.ignore_identical_ids is None:
            return identical_ids.of_same_text(self._identical, self.documents()) if self._identical else frozenset()
        return frozenset(self._identical) if self.ignore_identical_ids else frozenset()

    def left_out(self, split: str) -> int:
        """How many queries of `split`, which may be `UNJUDGED`, have the document of their own id left out.

        Raises:
            DataError: no such split.
        """
        return len(self.own_documents & self._ids(split))

    def dangling(self, split: str) -> int:
        """How many judgements of `split` name documents that the corpus lacks.

        Such a document is relevant, if its label says so, and never found: it counts in the ideal ranking and in
        recall, as trec_eval, beir and mteb count it. It is no row of candidates or training data.

        Raises:
            DataError: no such split.
        """
        return sum(doc_id not in self.document_lines for judged in self._judged(split).values() for doc_id in judged)

    def decisive(self, split: str) -> dict[str, int]:
        """What decides measures on `split` beside texts and qrels, for the identities of what is measured.

        Empty where no document is left out and no judged one is absent, so that what was measured stays valid.

        Raises:
            DataError: no such split.
        """
        found = {LEFT_OUT: self.left_out(split), DANGLING: self.dangling(split)}
        return {name: count for name, count in found.items() if count}

    def notes(self, split: str) -> list[str]:
        """What a user must know of the judgements of `split` and of documents with a query's own id, a line each.

        `split` may be `UNJUDGED`.

        Raises:
            DataError: no such split.
        """
        ids, found = self._ids(split), []
        if split != UNJUDGED and (dangling := self.dangling(split)):
            total = sum(map(len, self._judged(split).values()))
            found.append(
                f"{dangling:,} of {total:,} judgements of {split!r} name documents that the corpus lacks: those are "
                "relevant (or not) as judged, never found, and no candidates"
            )
        if self.ignore_identical_ids is None:
            left_out, shared = self.left_out(split), len(self._identical.keys() & ids)
            if left_out:
                found.append(
                    f"{left_out:,} queries of {split!r} stand in the corpus, under their own id: that document is left "
                    "out for them, as beir and mteb do; --keep-identical-ids keeps it"
                )
            if shared > left_out:
                found.append(
                    f"{shared - left_out:,} queries of {split!r} have the id of a document of another text, which is "
                    "kept. Right where ids agree by chance, as numbers from 1 on do (--keep-identical-ids says so); "
                    "--ignore-identical-ids leaves it out, as beir does. `ignore_identical_ids` in meta.json says it "
                    "for good"
                )
        return found

    def __fspath__(self) -> str:
        return str(self.path)

    def __repr__(self) -> str:
        counts = f"{len(self.document_lines):,} documents, {len(self.query_texts):,} queries"
        return f"Dataset({str(self.path)!r}: {counts}, splits {', '.join(self.splits) or 'none'})"

    def counts(self) -> dict[str, dict[str, int]]:
        """Split -> how many queries, judgements and relevant documents it has."""
        found = {}
        for split, judged in sorted(self.judgements.items()):
            labels = [label for one in judged.values() for label in one.values()]
            relevant = sum(label > 0 for label in labels)
            found[split] = {"queries": len(judged), "judgements": len(labels), "relevant": relevant}
        return found

    def asking(
        self,
        texts: Mapping[str, str],
        judgements: Mapping[str, Mapping[str, Mapping[str, int]]] | None = None,
        called: str | None = None,
    ) -> Dataset:
        """The same documents with other words for the queries, as rewrites or conversations; nothing is written.

        Args:
            texts: query_id -> text; other queries are left out, and what is judged of them.
            judgements: split -> query_id -> doc_id -> label, in place of its own.
            called: what stands for the texts in the fingerprint, so that what is measured with other words for the same
                queries can be compared; None: the texts themselves.
        """
        given = self.judgements if judgements is None else judgements
        kept = {
            split: {query_id: dict(labels) for query_id, labels in judged.items() if query_id in texts}
            for split, judged in given.items()
        }
        found = {split: judged for split, judged in kept.items() if judged}
        return replace(
            self,
            query_texts=dict(texts),
            judgements=found,
            fingerprint=manifest.digest({"documents": self.fingerprint, "queries": called or dict(texts)}),
            origin=self.on_disk,
            qrels_hashes={split: manifest.digest(judged) for split, judged in found.items()},
        )

    def tables(self) -> list[Table]:
        """A split a row, then the queries that no split judges."""
        rows = [[split, *(f"{count:,}" for count in counts.values())] for split, counts in self.counts().items()]
        rows += [[UNJUDGED, f"{len(self.unjudged):,}", "", ""]] if self.unjudged else []
        title = f"{self.path}: {len(self.document_lines):,} documents"
        return [Table(title, ["split", "queries", "judgements", "relevant"], rows)]

    def to_polars(self) -> pl.DataFrame:
        """A split a row: split, queries, judgements, relevant."""
        import polars as pl

        rows = [[split, *counts.values()] for split, counts in self.counts().items()]
        schema = {"split": pl.String, **dict.fromkeys(("queries", "judgements", "relevant"), pl.Int64)}
        return pl.DataFrame(rows, schema=schema, orient="row")

    def to_json(self) -> dict[str, Any]:
        """Folder, counts, and the rows that were left out."""
        return {
            "path": str(self.path),
            "documents": len(self.document_lines),
            "queries": len(self.query_texts),
            "unjudged": len(self.unjudged),
            "splits": self.counts(),
            "bad_rows": list(self.reports),
        }

    @cached_property
    def _identical(self) -> dict[str, str]:
        """The queries that have the id of a document; query_id -> text."""
        return {query_id: text for query_id, text in self.query_texts.items() if query_id in self.document_lines}

    def qrels_hash(self, split: str) -> str:
        """SHA-256 (hex) of the content of the split's qrels.

        Raises:
            DataError: no such split.
        """
        self._judged(split)
        return self.qrels_hashes[split]

    def _ids(self, split: str) -> Set[str]:
        """The queries of `split`, which may be `UNJUDGED`."""
        return self.unjudged.keys() if split == UNJUDGED else self._judged(split).keys()

    def _judged(self, split: str) -> Mapping[str, Mapping[str, int]]:
        if split == UNJUDGED:
            raise DataError(
                expected=f"a split of {self.path} with judgements: {', '.join(self.splits) or 'it has none'}",
                got=f"{UNJUDGED!r}: the {len(self.unjudged):,} queries that no split judges",
                consequence="nothing was run: without judgements nothing can be measured or taught",
                remedy=f"name a split, or add {QRELS}/<split>.tsv; `mine`, `score`, `embed` and `train --unlabelled "
                "top` take queries without judgements",
            )
        if split not in self.judgements:
            raise DataError(
                expected=f"a split of {self.path}: {', '.join(self.splits) or f'it has none (no {QRELS} folder)'}",
                got=repr(split) + (f" ({len(self.reports)} bad rows were left out)" if self.reports else ""),
                consequence="nothing was run",
                remedy=self._remedy(split),
            )
        return self.judgements[split]

    def _remedy(self, split: str) -> str:
        """What to do where there is no `split`."""
        named = "name one of those splits" if self.splits else f"add {QRELS}/{split}.tsv"
        if not self.query_texts:
            return f"{named}, and {QUERIES}: these are documents alone, which `index` and `embed` take"
        if not self.unjudged:
            return named
        return (
            f"{named}; {UNJUDGED!r} names the {len(self.unjudged):,} queries that no split judges, for `mine`, "
            "`embed` and `train`"
        )


def load(path: str | Path, mode: Mode = "strict", ignore_identical_ids: bool | None = None) -> Dataset:
    """Check a BEIR folder and open it. One pass over each file; the corpus text is not kept.

    A document may have an empty text if it has a title. A folder without qrels is a data set without splits; one
    without queries either is one of documents alone. Judgements
    of documents that the corpus lacks are kept, see `Dataset.dangling`; those of queries that the folder lacks are bad
    rows, since nothing can be searched for them: trec_eval and mteb average over the queries that were answered, and
    beir's loader stops.

    Args:
        path: the folder.
        mode: `strict` raises if any row is bad; `lenient` leaves bad rows out and lists them in `Dataset.reports`.
        ignore_identical_ids: whether rankings leave out the document that has the query's own id; None: what the folder
            says, see `rankdistill.data.identical_ids`.

    Raises:
        DataError: a folder or file is missing or unreadable, nothing usable is in it, or (strict) rows are bad:
            broken JSON, missing or duplicate ids, empty texts, a wrong qrels header, scores that are no integers,
            judgements of unknown queries, empty qrels, a broken `meta.json`. Or there are judgements without queries,
            or a split has the name of those that have none (`UNJUDGED`).
    """
    folder = Path(path)
    integrity.require_below(folder)  # of a collection that was made here, a lost file would be a lost split
    corpus_path, qrels_paths = _required(folder, CORPUS), _qrels_paths(folder)
    queries_path = _required(folder, QUERIES) if qrels_paths else lines.find(folder, QUERIES)
    bad, content = BadRows(mode), hashlib.sha256()
    document_lines = Numbers()
    for _ in parse_rows(corpus_path, parse_document, bad, content, document_lines):
        pass
    content.update(b"\0")
    query_texts = {}
    if queries_path is not None:
        query_texts = {row.query_id: row.text for _, row in parse_rows(queries_path, parse_query, bad, content)}
    for kind, found, file in (("document", document_lines, corpus_path), ("query", query_texts, queries_path)):
        if file is not None and not found:
            raise _nothing(f"a usable {kind} in {file}", "; ".join(["none", *bad.reports[:1]]))
    judgements: dict[str, Mapping[str, Mapping[str, int]]] = {}
    hashes: dict[str, str] = {}
    for split, qrels_path in qrels_paths.items():
        digest = hashlib.sha256()
        judged = parse_qrels(qrels_path, query_texts.keys(), document_lines.keys(), bad, digest)
        if judged:
            judgements[split], hashes[split] = judged, digest.hexdigest()
    bad.finish(f"a BEIR folder without bad rows at {folder}")
    said = meta.read(folder).ignore_identical_ids
    if said is None and not query_texts.keys().isdisjoint(document_lines.keys()):
        said = _known_rule(folder)
    return Dataset(
        path=folder,
        corpus_path=corpus_path,
        document_lines=document_lines,
        query_texts=query_texts,
        judgements=judgements,
        fingerprint=content.hexdigest(),
        qrels_hashes=hashes,
        reports=bad.reports,
        ignore_identical_ids=said if ignore_identical_ids is None else ignore_identical_ids,
        unusable_splits=tuple(split for split in qrels_paths if split not in judgements),
    )


def _known_rule(folder: Path) -> bool | None:
    """What the name of its source says of documents that have the query's own id."""
    made = manifest.read(folder)
    return identical_ids.known_rule(str(made.parameters.get("source", ""))) if made else None


def _required(folder: Path, name: str) -> Path:
    if not folder.is_dir():
        raise _nothing("a BEIR folder", f"{folder}: {'a file' if folder.exists() else 'no such folder'}", folder)
    found = lines.find(folder, name)
    if found is None:
        raise _nothing(f"{name} or {name}.gz in {folder}", "neither is there", folder)
    return found


def _qrels_paths(folder: Path) -> dict[str, Path]:
    """Split -> its file, sorted by split."""
    names = {path.name.removesuffix(".gz") for path in locations.listing(folder / QRELS, "*.tsv*")}
    found = {name.removesuffix(".tsv"): lines.find(folder / QRELS, name) for name in sorted(names)}
    if UNJUDGED in found:
        raise DataError(
            expected=f"a name of a split other than {UNJUDGED!r}, which stands for the queries that no split judges",
            got=str(found[UNJUDGED]),
            consequence="nothing was run: two sets of queries would have one name",
            remedy="rename the file",
        )
    return {split: path for split, path in found.items() if path is not None}


def _nothing(expected: str, got: str, place: Path | None = None) -> DataError:
    from rankdistill.data.converting.advice import advice

    usual = (
        f"give a folder with {CORPUS} and, where they are needed, {QUERIES} and {QRELS}/<split>.tsv (plain or .gz); "
        "`rankdistill data convert`, `data fetch` or `data pydocs` make one"
    )
    return DataError(
        expected=expected,
        got=got,
        consequence="nothing was run",
        remedy=(advice(place) if place is not None else None) or usual,
    )
