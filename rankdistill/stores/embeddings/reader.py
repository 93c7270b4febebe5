"""Reading a finished embedding store."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from rankdistill import locations, manifest
from rankdistill.display import Shown
from rankdistill.errors import StoreError
from rankdistill.progress import Progress
from rankdistill.space import Space
from rankdistill.stores.embeddings.identity import text_id
from rankdistill.stores.embeddings.layout import ARTEFACT, Layout, VectorType
from rankdistill.stores.embeddings.mapping import ids_of, mapped_texts, mapped_vectors, rows_of
from rankdistill.stores.embeddings.planning import read_held_out
from rankdistill.stores.embeddings.status import describe
from rankdistill.stores.embeddings.teacher_file import REFERENCE, called, read_teacher
from rankdistill.stores.runs import StoreRun
from rankdistill.teachers.base import Role

if TYPE_CHECKING:
    import polars as pl


class EmbeddingStore(Shown):
    """A finished store of one teacher's vectors, read only. Row i of `texts()` belongs to row i of `vectors()`.

    It prints as `rankdistill status` shows it. `run` tells what the call of a verb that gave this store did; None where
    it was only opened.

    Args:
        path: its folder, or a URL such as `s3://bucket/prefix`.

    Raises:
        DataError: the folder is absent, or embedding has not finished (no manifest).
        RemoteError: the object store does not answer, or refuses.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = locations.location(path)
        # Found again wherever the process goes later.
        self.layout = Layout(self.path.absolute() if locations.is_local(self.path) else self.path)
        self.manifest = manifest.expect(self.path, ARTEFACT, "embed")
        self._teacher = read_teacher(self.layout)
        self.run: StoreRun | None = None

    def __fspath__(self) -> str:
        return str(self.path)

    def __repr__(self) -> str:
        texts = ", ".join(f"{count:,} {kind} texts" for kind, count in self.manifest.parameters["texts"].items())
        teacher = self.name or self.teacher_id
        return f"EmbeddingStore({str(self.path)!r}: {texts} by {teacher}, {self.dimension} x {self.dtype})"

    def lines(self) -> list[str]:
        """State, teacher, texts by source, and what was left out."""
        return list(describe(self.layout.root, self.path))

    def to_polars(self) -> pl.DataFrame:
        """The texts: text_id, kind, source, text, mapped into memory; row i has row i of `vectors()`."""
        import polars as pl

        found = pl.from_arrow(self.texts())
        assert isinstance(found, pl.DataFrame)
        return found

    def to_json(self) -> dict[str, Any]:
        """Folder, teacher, the form of its vectors, and the texts by kind and by source."""
        parameters = self.manifest.parameters
        return {
            "store": str(self.path),
            "teacher": self.teacher_id,
            "model": self.reference,
            "dimension": self.dimension,
            "dtype": self.dtype,
            "prompts": dict(self.prompts),
            "texts": dict(parameters["texts"]),
            "truncated": dict(parameters["truncated"]),
            "sources": dict(parameters["gathered"]),
        }

    def __len__(self) -> int:
        return sum(self.manifest.parameters["texts"].values())

    @property
    def identity(self) -> str:
        """Content hash of the store: the hash of its files' hashes."""
        return manifest.digest(self.manifest.outputs)

    @property
    def held_out(self) -> frozenset[bytes]:
        """Hashes of the test queries that must not get in, whatever is embedded into it later."""
        return read_held_out(self.layout)

    @property
    def teacher_id(self) -> str:
        """Short name of the teacher, from its fingerprint."""
        return str(self._teacher["teacher_id"])

    @property
    def name(self) -> str:
        """What the teacher is called: by its user, else as its model is."""
        return called(self.layout, self._teacher).name

    @property
    def reference(self) -> str:
        """The model reference that the teacher was loaded from."""
        return str(self._teacher[REFERENCE])

    @property
    def fingerprint(self) -> Mapping[str, Any]:
        """Everything that defines the teacher."""
        return dict(self._teacher["fingerprint"])

    @property
    def prompts(self) -> Mapping[Role, str]:
        """What the teacher had before each text of a kind."""
        return dict(self._teacher["prompts"])

    @property
    def space(self) -> Space:
        """The space of the vectors."""
        return Space(**self._teacher["space"])

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return self.space.dimension

    @property
    def dtype(self) -> VectorType:
        """The number format of the vectors."""
        found: VectorType = self._teacher["dtype"]
        return found

    def texts(self) -> pa.Table:
        """text_id, kind, source, text of every text; mapped into memory."""
        return self._texts

    def vectors(self) -> np.ndarray:
        """Float32 or float16 `[n, dimension]`, read only and mapped into memory; the first call makes the mapped file.

        Raises:
            StoreError: a shard is missing or damaged, or a text has no vector.
            OutputError: there is no room for the mapped file.
        """
        return self._vectors

    def find(self, texts: Sequence[str], kind: Role) -> np.ndarray:
        """int64[n]: the row of each text by its content, -1 where the store lacks it. Outer spaces do not count."""
        wanted = np.array([text_id(kind, text.strip()).encode() for text in texts], "S32")
        return rows_of(wanted, self._ids, self._order)

    def complete(
        self, texts: Sequence[str], kind: Role, encode: Callable[[Sequence[str]], np.ndarray], progress: Progress | None
    ) -> np.ndarray:
        """float32 `[n, dimension]` of any texts: those of the store, and what `encode` makes of the others, in order.

        Args:
            texts: any number.
            kind: theirs.
            encode: gives float32 `[n, dimension]` of this teacher; it is called once, or never.
            progress: called with the number of texts that the store has.
        """
        rows = self.find(texts, kind)
        found = np.empty((len(texts), self.dimension), dtype=np.float32)
        held, lacking = np.flatnonzero(rows >= 0), np.flatnonzero(rows < 0)
        found[held] = self.vectors()[rows[held]]
        if progress is not None:
            progress(len(held))
        if len(lacking):
            found[lacking] = encode([texts[place] for place in lacking.tolist()])
        return found

    def shards(self) -> list[Path]:
        """The files of vectors that the manifest lists; StoreError if one is missing."""
        there = set(self.layout.shards())
        listed = [self.layout.root / name for name in sorted(self.manifest.outputs) if name.startswith("vectors/")]
        missing = [path for path in listed if path not in there]
        if missing:
            raise StoreError(
                expected=f"the {len(listed)} shards that the manifest lists",
                got=f"{len(missing)} are missing, as {missing[0]}",
                consequence="no vector was read",
                remedy="run the same `rankdistill embed` again: it makes the missing ones",
            )
        return listed

    @cached_property
    def _texts(self) -> pa.Table:
        return mapped_texts(self.layout, self.identity)

    @cached_property
    def _vectors(self) -> np.ndarray:
        return mapped_vectors(self.layout, self.identity, self.shards(), self._ids, self.dimension, self.dtype)

    @cached_property
    def _ids(self) -> np.ndarray:
        return ids_of(self._texts)

    @cached_property
    def _order(self) -> np.ndarray:
        return np.argsort(self._ids)
