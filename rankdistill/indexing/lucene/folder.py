"""A Lucene index: documents are collected, indexed by Java, and opened for searching."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rankdistill.indexing.lucene import java, jvm
from rankdistill.indexing.lucene.collection import SUBFOLDER, Collection

Classes = Callable[[str], Any]
"""Gives a Java class by its name."""


class LuceneFolder:
    """Documents are kept until the first search or `save`, which indexes them.

    Args:
        main: the class of Anserini that indexes.
        arguments: for it, besides input and output.
        open_searcher: `(classes, folder)` -> the searcher.

    Raises:
        MissingDependencyError: there is no Pyserini, or no Java that is new enough; told before anything is encoded.
    """

    def __init__(self, main: str, arguments: Sequence[str], open_searcher: Callable[[Classes, str], Any]) -> None:
        self._main, self._arguments, self._open = main, arguments, open_searcher
        self._collection = Collection(java.find(), jvm.anserini())
        self._path: Path | None = None
        self._searcher: Any = None

    @property
    def subject(self) -> str:
        """What errors call it."""
        return str(self._path)

    def write(self, documents: Iterable[Mapping[str, Any]]) -> None:
        """Add documents, as the collection class of Anserini wants them."""
        self._collection.write(documents)
        self._path = self._searcher = None

    def save(self, folder: Path) -> None:
        """Index the documents into the index folder `folder`."""
        self._path = self._collection.index(self._main, self._arguments, folder)
        self._searcher = None

    def read(self, folder: Path) -> None:
        """Open what `save` wrote into `folder`.

        Raises:
            DataError: a file is absent or damaged.
        """
        self._path = folder / SUBFOLDER
        self._searcher = None
        self.opened()

    def opened(self) -> Any:
        """The searcher."""
        if self._searcher is None:
            classes = jvm.start()
            if self._path is None:
                self._path = self._collection.index(self._main, self._arguments)
            with jvm.java_errors(self.subject):
                # Java keeps the working directory that it was started in, whatever Python's is by now.
                self._searcher = self._open(classes, str(self._path.absolute()))
        return self._searcher
