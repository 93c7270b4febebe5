"""Where things lie inside an embedding store.

manifest.json           written last; absent while the store is unfinished
teacher.json            the teacher: fingerprint, reference, space, prompts of both roles, number format of the vectors
texts.parquet           each text once: text_id, kind, source, text
held_out.parquet        hashes of the test queries that must not get in, whatever is added later
vectors/part-*.parquet  text_id, key, vector, truncated; a file that is there is complete
names.json              what its user calls the teacher, where one was given; no part of the manifest
.times.json             seconds that each shard took; no part of the manifest, see `rankdistill.stores.times`
plan/                   texts still to embed, one row group a work unit; gone once all are embedded
mapped/                 the vectors and texts once more, to be mapped into memory; made by the first reader, no part of
                        the manifest
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pyarrow as pa

from rankdistill import locations, manifest
from rankdistill.stores.plan import shard_files

ARTEFACT = "embeddings"

VectorType = Literal["float32", "float16"]
"""The number format of the stored vectors."""

TEXTS = pa.schema([pa.field(name, pa.string(), nullable=False) for name in ("text_id", "kind", "source", "text")])
"""One row a text; `text_id` is 32 hex digits, the hash of kind and text; `kind` is query or document."""

UNITS = TEXTS.append(pa.field("key", pa.binary(16), nullable=False))
"""The texts of a work unit; `key` is the hash of `text_id` and the teacher."""

HELD_OUT = pa.schema([pa.field("hash", pa.binary(16), nullable=False)])
"""Hashes of normalised texts, sorted."""


def vectors_schema(dimension: int, dtype: VectorType) -> pa.Schema:
    """The columns of a shard; `truncated` tells whether the teacher read only the beginning of the text."""
    number = pa.float32() if dtype == "float32" else pa.float16()
    return pa.schema(
        [
            pa.field("text_id", pa.string(), nullable=False),
            pa.field("key", pa.binary(16), nullable=False),
            pa.field("vector", pa.list_(pa.field("item", number, nullable=False), dimension), nullable=False),
            pa.field("truncated", pa.bool_(), nullable=False),
        ]
    )


@dataclass(frozen=True)
class Layout:
    """The paths of the store in the folder `root`."""

    root: Path

    @property
    def teacher(self) -> Path:
        """Whose vectors these are."""
        return self.root / "teacher.json"

    @property
    def texts(self) -> Path:
        """The texts whose vectors are complete."""
        return self.root / "texts.parquet"

    @property
    def held_out(self) -> Path:
        """Test queries that must not get in."""
        return self.root / "held_out.parquet"

    @property
    def calibration(self) -> Path:
        """The texts that a quantised teacher was calibrated with; absent without one."""
        return self.root / "calibration.json"

    @property
    def fidelity(self) -> Path:
        """How near the vectors are to float32's; absent for an exact teacher."""
        return self.root / "fidelity.json"

    @property
    def vectors(self) -> Path:
        """Folder of the shards."""
        return self.root / "vectors"

    def shards(self) -> list[Path]:
        """The finished shards, sorted by name."""
        return shard_files(self.vectors)

    @property
    def plan(self) -> Path:
        """Folder of the unfinished plan."""
        return self.root / "plan"

    @property
    def planned_texts(self) -> Path:
        """What `texts` will be once the plan is done."""
        return self.plan / "texts.parquet"

    @property
    def mapped(self) -> Path:
        """Folder of the copies that are mapped into memory."""
        return self.root / "mapped"


def is_store(folder: Path) -> bool:
    """Whether `folder` holds an embedding store, finished or not."""
    found = manifest.read(folder)
    layout = Layout(folder)
    return found.artefact == ARTEFACT if found else locations.is_file(layout.teacher)
