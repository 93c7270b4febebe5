"""Where texts come from: collections, cut into titles, sentences, documents and queries, and files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from rankdistill.data import Dataset
from rankdistill.data.beir import TRAIN, UNJUDGED
from rankdistill.errors import DataError
from rankdistill.manifest import digest
from rankdistill.sessions.reading import rewrites_of
from rankdistill.stores.embeddings.sentences import sentences
from rankdistill.stores.embeddings.text_files import Row, TextFile


@dataclass(frozen=True)
class Part:
    """Texts that are counted together.

    Args:
        name: their source, as `scifact:titles`.
        rows: kind and text of each, in a fixed order; may be asked for again.
        documents: whether they are the whole documents of a collection.
    """

    name: str
    rows: Callable[[], Iterator[Row]]
    documents: bool = False


@dataclass(frozen=True)
class Sources:
    """Everything that texts are gathered from.

    Args:
        datasets: collections; documents are document-like, the rest is query-like.
        files: files of texts.
        query_split: the split whose queries are taken; `unjudged`: those that no split judges; None: `train` where
            there is one, and all of a collection without judgements.
        titles: whether titles are taken.
        sentences: whether sentences of documents are taken.
        judged: further collections, of which nothing is taken: whatever says the same as one of their queries is left
            out, as the judged queries of `datasets` are.

    Raises:
        DataError: there is nothing to gather from, or no collection has the split that was asked for.
    """

    datasets: Sequence[Dataset] = ()
    files: Sequence[TextFile] = ()
    query_split: str | None = None
    titles: bool = True
    sentences: bool = True
    judged: Sequence[Dataset] = ()

    def __post_init__(self) -> None:
        if not self.datasets and not self.files:
            raise _nothing("collections or files of texts", "none", "give --data or --texts")
        if self.query_split is not None and not any(self._has(one) for one in self.datasets):
            known = sorted({split for dataset in self.datasets for split in dataset.splits})
            raise _nothing(
                f"a split that one of the collections has: {', '.join(known) or 'there is none'}",
                repr(self.query_split),
                "name one of those splits, or none: the default takes train where there is one",
            )

    @property
    def split(self) -> str:
        """The split whose queries are taken: `unjudged` by default only where no collection has judgements."""
        if self.query_split is not None:
            return self.query_split
        alone = any(one.unjudged for one in self.datasets) and all(
            one.default_split == UNJUDGED for one in self.datasets
        )
        return UNJUDGED if alone else TRAIN

    def _split(self, dataset: Dataset) -> str:
        """The split of this collection."""
        return self.query_split or dataset.default_split

    def _has(self, dataset: Dataset) -> bool:
        """Whether this collection has queries to take."""
        split = self._split(dataset)
        return bool(dataset.unjudged) if split == UNJUDGED else split in dataset.splits

    def parts(self) -> list[Part]:
        """Every part, the collections first."""
        names = _distinct([dataset.name for dataset in self.datasets], [one.fingerprint for one in self.datasets])
        found = [
            part for name, dataset in zip(names, self.datasets, strict=True) for part in self._of_dataset(name, dataset)
        ]
        names = _distinct([file.path.name for file in self.files], [file.fingerprint for file in self.files])
        return found + [Part(name, file.rows) for name, file in zip(names, self.files, strict=True)]

    def _of_dataset(self, name: str, dataset: Dataset) -> Iterator[Part]:
        if self._has(dataset):
            yield Part(f"{name}:queries", lambda: (("query", text) for text in self.queries(dataset).values()))
        if self.titles:
            yield Part(f"{name}:titles", lambda: (("query", row.title) for row in dataset.documents()))
        if self.sentences:
            yield Part(
                f"{name}:sentences",
                lambda: (("query", text) for row in dataset.documents() for text in sentences(row.text)),
            )
        yield Part(f"{name}:documents", lambda: (("document", row.contents) for row in dataset.documents()), True)

    def queries(self, dataset: Dataset) -> dict[str, str]:
        """The queries of the split that no other split judges; query_id -> text."""
        mine = self._split(dataset)
        others = {query_id for split in dataset.splits if split != mine for query_id in dataset.qrels(split)}
        return {key: text for key, text in dataset.to_mine(mine).items() if key not in others}

    def held_out(self) -> Iterator[str]:
        """The texts of all queries that another split judges, and of conversations their rewrites."""
        for dataset, splits in self._judged():
            for split in splits:
                yield from dataset.queries(split).values()
            yield from _rewrites(dataset, splits)

    def _judged(self) -> Iterator[tuple[Dataset, list[str]]]:
        """The collections, each with its splits whose queries are held out."""
        for dataset in self.datasets:
            yield dataset, [split for split in dataset.splits if split != self._split(dataset)]
        for dataset in self.judged:
            yield dataset, dataset.splits

    def inputs(self) -> dict[str, str]:
        """Name -> content hash of everything read, for a manifest."""
        found = {}
        for dataset in (*self.datasets, *self.judged):
            found[f"dataset:{dataset.fingerprint[:16]}"] = dataset.fingerprint
            for split in dataset.splits:
                found[f"qrels:{dataset.fingerprint[:16]}:{split}"] = dataset.qrels_hash(split)
        for dataset, splits in self._judged():
            if rewrites := _rewrites(dataset, splits):
                found[f"rewrites:{dataset.fingerprint[:16]}"] = digest(rewrites)
        return found | {f"texts:{file.fingerprint[:16]}": file.fingerprint for file in self.files}


def _rewrites(dataset: Dataset, splits: Sequence[str]) -> list[str]:
    return rewrites_of(dataset.path, {query for split in splits for query in dataset.qrels(split)})


def _distinct(names: list[str], fingerprints: list[str]) -> list[str]:
    """The names, with the beginning of its fingerprint behind each that comes more than once."""
    return [
        f"{name}-{fingerprint[:8]}" if names.count(name) > 1 else name
        for name, fingerprint in zip(names, fingerprints, strict=True)
    ]


def _nothing(expected: str, got: str, remedy: str) -> DataError:
    return DataError(expected=expected, got=got, consequence="nothing was embedded", remedy=remedy)
