"""Gathering texts from sources into one file: each once, none empty, no test query among them."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from hashlib import blake2b
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from rankdistill import tables
from rankdistill.data.digests import Digests
from rankdistill.errors import DataError
from rankdistill.executors.base import ignore
from rankdistill.progress import Progress
from rankdistill.stores.embeddings.identity import alike_hash, text_id
from rankdistill.stores.embeddings.layout import TEXTS
from rankdistill.stores.embeddings.sources import Part, Sources
from rankdistill.teachers.base import Role

WRITTEN_AT_ONCE = 8192


@dataclass
class Tally:
    """What became of the texts of one part.

    Args:
        kept: taken.
        empty: dropped, since nothing but spaces.
        held_out: dropped, since they say the same as a test query.
        repeated: dropped, since an earlier text has the same kind and words.
        over_limit: not drawn.
    """

    kept: int = 0
    empty: int = 0
    held_out: int = 0
    repeated: int = 0
    over_limit: int = 0


@dataclass(frozen=True)
class Gathered:
    """Texts to embed.

    Args:
        path: a Parquet file with the columns of `layout.TEXTS`.
        identity: hash (hex) of the texts, their order and their sources, and of what is held out.
        held_out: `alike_hash` of every test query.
        tallies: part -> what became of its texts.
        inputs: name -> content hash of what they were gathered from.
        query_split: the split whose queries were taken.
    """

    path: Path
    identity: str
    held_out: frozenset[bytes] = field(repr=False)
    tallies: Mapping[str, Mapping[str, int]]
    inputs: Mapping[str, str]
    query_split: str

    def __len__(self) -> int:
        return sum(tally["kept"] for tally in self.tallies.values())

    def chunks(self) -> Iterator[pa.Table]:
        """The texts in their order, some thousands at a time."""
        with tables.open_parquet(self.path) as file:
            for batch in file.iter_batches(WRITTEN_AT_ONCE):
                yield pa.Table.from_batches([batch])

    def report(self) -> Iterator[str]:
        """Lines for a reader: texts taken from each part, and what was left out."""
        for name, tally in self.tallies.items():
            yield f"{name}: {describe_tally(tally)}"

    def sample(self, count: int) -> pa.Table:
        """About `count` of the texts, spread evenly."""
        step, start = max(1.0, len(self) / count), 0
        found = []
        for chunk in self.chunks():
            first = math.ceil(start / step)
            rows = [math.ceil(number * step) - start for number in range(first, math.ceil((start + len(chunk)) / step))]
            found.append(chunk.take([row for row in rows if row < len(chunk)]))
            start += len(chunk)
        return pa.concat_tables(found).slice(0, count)


def describe_tally(tally: Mapping[str, int]) -> str:
    """A `Tally` in words: `4,183 (2 empty, 17 repeated)`."""
    left_out = [f"{count:,} {name.replace('_', ' ')}" for name, count in tally.items() if name != "kept" and count]
    return f"{tally['kept']:,}" + (f" ({', '.join(left_out)})" if left_out else "")


def gather(
    sources: Sources,
    path: Path,
    limit: int | None = None,
    progress: Progress = ignore,
    document_limit: int | None = None,
) -> Gathered:
    """Write the texts of `sources` to the Parquet file `path`.

    Texts are stripped. Which texts are the same is a matter of kind and words; the first source keeps it. Memory grows
    by some 20 bytes a text.

    Args:
        sources: where from.
        path: the file.
        limit: texts of each part at most: those with the smallest hashes, so that a larger limit takes the same and
            more.
        progress: told of texts that were taken.
        document_limit: instead of `limit`, of the documents of a collection; 0 takes none.

    Raises:
        DataError: a source is damaged, or nothing is left of them.
    """
    gathering = _Gathering(frozenset(alike_hash(text) for text in sources.held_out()))
    digest = blake2b(b"".join(sorted(gathering.held_out)), digest_size=32)
    tallies = {}
    with pq.ParquetWriter(path, TEXTS, **tables.WRITTEN) as writer:
        for part in sources.parts():
            tallies[part.name] = gathering.tally = Tally()
            most = document_limit if part.documents and document_limit is not None else limit
            for rows in _blocks(gathering.texts(part, most)):
                table = pa.table([list(column) for column in zip(*rows, strict=True)], schema=TEXTS)
                writer.write_table(table)
                progress(len(rows))
                digest.update("".join(row[0] + row[2] + "\0" for row in rows).encode())
    if not any(tally.kept for tally in tallies.values()):
        raise DataError(
            expected="texts to embed",
            got="none: " + "; ".join(f"{name} {asdict(tally)}" for name, tally in tallies.items()),
            consequence="nothing was embedded",
            remedy="check the collections and files",
        )
    counts = {name: asdict(tally) for name, tally in tallies.items()}
    return Gathered(path, digest.hexdigest(), gathering.held_out, counts, sources.inputs(), sources.split)


_Text = tuple[str, Role, str, str]
"""A row of `layout.TEXTS`."""


class _Gathering:
    """Sorts texts out; knows those it has seen."""

    def __init__(self, held_out: frozenset[bytes]) -> None:
        self.held_out, self.tally = held_out, Tally()
        self._seen = Digests()

    def texts(self, part: Part, limit: int | None) -> Iterator[_Text]:
        """The rows of a part that are taken, in their order."""
        usable = self._usable(part)
        for row in usable if limit is None else self._drawn(usable, limit):
            self.tally.kept += 1
            yield row

    def _usable(self, part: Part) -> Iterator[_Text]:
        for kind, raw in part.rows():
            text = raw.strip()
            if not text:
                self.tally.empty += 1
                continue
            identifier = text_id(kind, text)
            if self.held_out and alike_hash(text) in self.held_out:
                self.tally.held_out += 1
            elif self._seen.add(bytes.fromhex(identifier)):
                yield identifier, kind, part.name, text
            else:
                self.tally.repeated += 1

    def _drawn(self, rows: Iterable[_Text], limit: int) -> Iterable[_Text]:
        """The `limit` rows with the smallest ids, in their order."""
        heap: list[tuple[int, int, _Text]] = []
        for place, row in enumerate(rows):
            entry = (-int(row[0], 16), place, row)
            if len(heap) < limit:
                heapq.heappush(heap, entry)
            else:
                out = heapq.heappushpop(heap, entry)
                self._seen.discard(bytes.fromhex(out[2][0]))
                self.tally.over_limit += 1
        return (row for _, _, row in sorted(heap, key=lambda entry: entry[1]))


def _blocks(rows: Iterable[_Text]) -> Iterator[list[_Text]]:
    block: list[_Text] = []
    for row in rows:
        block.append(row)
        if len(block) == WRITTEN_AT_ONCE:
            yield block
            block = []
    if block:
        yield block
