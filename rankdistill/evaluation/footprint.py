"""How large a model is: its weights in bytes and in number."""

from __future__ import annotations

import math
import struct
from pathlib import Path
from typing import NamedTuple

from rankdistill import locations, models, plain_json
from rankdistill.bundles.layout import query_model
from rankdistill.inference.storage import PICKLED, WEIGHTS


class Footprint(NamedTuple):
    """Weights of a model; None where it has no files to count in: numbers are counted in safetensors files alone."""

    model_bytes: int | None
    parameters: int | None


def footprint(reference: str) -> Footprint:
    """The size of the model `reference` (of a bundle, its query tower), read off its files of weights unloaded.

    Raises:
        ModelReferenceError: there is no such model.
    """
    root = models.resolve(query_model(reference)).path
    weights = [
        path
        for path in locations.listing(root, "**/*")
        if (path.suffix == ".safetensors" or (path.name == PICKLED and not path.with_name(WEIGHTS).exists()))
        and not any(part.startswith(("checkpoint", ".")) for part in path.relative_to(root).parts)
    ]
    if not weights:
        return Footprint(None, None)
    size = sum(path.stat().st_size for path in weights)
    if any(path.name == PICKLED for path in weights):
        return Footprint(size, None)
    return Footprint(size, sum(_parameters(path) for path in weights))


def _parameters(path: Path) -> int:
    """Sum over the tensors in the file's header (8 bytes of little-endian length, then JSON)."""
    with path.open("rb") as stream:
        (length,) = struct.unpack("<Q", stream.read(8))
        header = plain_json.loads(stream.read(length))
    return sum(math.prod(entry["shape"]) for name, entry in header.items() if name != "__metadata__")
