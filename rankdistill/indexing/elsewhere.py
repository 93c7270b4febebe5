"""Encoding a corpus by workers in other processes: blocks of texts on disk, and a file of vectors for each.

The blocks are those that `encode` cuts a shard into, so the vectors are the same, bit for bit. The files lie inside the
index folder while it is being built, a folder a block, in which their hashes are noted (`rankdistill.integrity`). A
killed run's vectors are taken up by the next; damaged ones are encoded again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from rankdistill import files, integrity, locations, manifest, tables
from rankdistill.errors import ConfigError
from rankdistill.executors.base import Executor
from rankdistill.indexing import encoding
from rankdistill.indexing.base import Vectors
from rankdistill.indexing.encoding import DocumentEncoder
from rankdistill.notes import note
from rankdistill.progress import Progress


@dataclass(frozen=True)
class EncoderSpec:
    """An encoder that is not loaded yet; picklable.

    Args:
        model: reference of the model, or folder of a bundle, whose document tower it is then.
        backend: of `TextEncoder`.
        max_length: tokens a text; None takes the model's own.
    """

    model: str
    backend: str = "auto"
    max_length: int | None = None

    def load(self) -> DocumentEncoder:
        """Load it; raises ModelReferenceError unless the model embeds texts."""
        from rankdistill.bundles import open_document_encoder

        return open_document_encoder(self.model, self.backend, self.max_length)


@dataclass(frozen=True)
class Blocks:
    """The files of the blocks in `folder`, a folder each: texts, and vectors once they are encoded."""

    folder: Path

    def texts(self, name: str) -> Path:
        """The texts of one block."""
        return self.folder / name / "texts.parquet"

    def vectors(self, name: str) -> Path:
        """The vectors of one block."""
        return self.folder / name / "vectors.npy"

    def remove_damaged(self, name: str) -> list[Path]:
        """Remove what is not as it was written of one block, or was written without a hash; which files that were."""
        gone = []
        for path in (self.texts(name), self.vectors(name)):
            known = integrity.recorded(path)
            if path.is_file() and (known is None or known.state(whole=True) != "whole"):
                with files.output_errors(path):
                    path.unlink()
                gone.append(path)
        return gone

    def names(self, shard: int, texts: int) -> list[str]:
        """The names of the blocks of shard `shard`, which has `texts` documents."""
        return [self.name(shard, block) for block in range(-(-texts // encoding.ENCODED_AT_ONCE))]

    def name(self, shard: int, block: int) -> str:
        """The name of a block."""
        return f"{shard:05d}-{block:05d}"

    def reading(self, shard: int) -> Callable[[object], Vectors]:
        """A function that gives the vectors of a shard's next block, which has been encoded, at each call."""
        numbers = count()

        def following(block: object) -> Vectors:
            found: Vectors = np.load(integrity.require(self.vectors(self.name(shard, next(numbers))), whole=True))
            return found

        return following


@dataclass(frozen=True)
class BlockWorker:
    """Encodes one block after the other; unit `u` is `names[u]`."""

    blocks: Blocks
    names: Sequence[str]
    encoder: DocumentEncoder

    def __call__(self, unit: int, progress: Progress) -> int:
        """Encode one block, unless its vectors are there; the number of texts that were encoded."""
        name = self.names[unit]
        path = self.blocks.vectors(name)
        texts = tables.read_parquet(self.blocks.texts(name)).column("text").to_pylist()
        if path.is_file():
            progress(len(texts))
            return 0
        vectors = self.encoder.encode_documents(texts, progress)
        with integrity.noting(path, path.parent) as temporary, temporary.open("wb") as stream:
            np.save(stream, vectors)
        return len(texts)


@dataclass(frozen=True)
class EncodingWork:
    """Makes a `BlockWorker` in any process that reaches the blocks; picklable.

    Args:
        blocks: the files.
        names: the blocks; unit `u` is `names[u]`.
        spec: the encoder, which each worker loads for itself.
        fingerprint: digest of what its fingerprint must turn out to be.
    """

    blocks: Blocks
    names: tuple[str, ...]
    spec: EncoderSpec
    fingerprint: str

    def __call__(self) -> BlockWorker:
        """Load the encoder; raises ConfigError if it is another one on this machine."""
        encoder = self.spec.load()
        found = manifest.digest(encoder.fingerprint)
        if found != self.fingerprint:
            raise ConfigError(
                expected=f"every worker to load the encoder {self.fingerprint[:12]}",
                got=f"{found[:12]} on a worker: its back end, dtype or weights differ there",
                consequence="this worker encoded nothing; finished blocks are kept",
                remedy="give --backend, the same model and the same library versions on every machine",
            )
        return BlockWorker(self.blocks, self.names, encoder)


@dataclass(frozen=True)
class Elsewhere:
    """Encodes shards through an executor.

    Args:
        blocks: the files; their folder's name must tell one set of inputs from another.
        spec: the encoder.
        fingerprint: digest of its fingerprint.
        executor: whose workers encode.
    """

    blocks: Blocks
    spec: EncoderSpec
    fingerprint: str
    executor: Executor

    def encode(self, shards: Iterable[tuple[int, Sequence[str]]], progress: Progress) -> None:
        """Encode every (shard number, texts); the texts of one shard at a time are held in memory."""
        if unchecked := locations.listing(self.blocks.folder, "vectors-*.npy"):
            note(
                f"{len(unchecked):,} blocks of documents that an earlier version encoded are encoded again: they have "
                "no hashes, so nothing tells whether they are what was written"
            )
        names = tuple(name for number, texts in shards for name in self._write(number, texts))
        work = EncodingWork(self.blocks, names, self.spec, self.fingerprint)
        self.executor.run(range(len(names)), work, progress)

    def _write(self, shard: int, texts: Sequence[str]) -> Iterator[str]:
        for block, name in enumerate(self.blocks.names(shard, len(texts))):
            path = self.blocks.texts(name)
            for gone in self.blocks.remove_damaged(name):
                note(f"{gone} was damaged, and is made again")
            if not path.is_file():
                start = block * encoding.ENCODED_AT_ONCE
                column = pa.array(texts[start : start + encoding.ENCODED_AT_ONCE], pa.string())
                with integrity.noting(path, path.parent) as temporary:
                    pq.write_table(pa.table({"text": column}), temporary, **tables.WRITTEN)
            yield name
