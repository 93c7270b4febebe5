"""Anserini's JsonVectorCollection: sparse document vectors with whole numbers as weights.

Impact indexes hold integers, so weights are multiplied by a factor and rounded; the factor stands in the folder's
manifest. The lines lie in `vectors/`, the folder to give to Anserini, which would take the manifest for a document.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from rankdistill import files, manifest
from rankdistill.data import json_lines, lines
from rankdistill.data.values import RowError, identifier, string, whole
from rankdistill.data.writer import write_lines
from rankdistill.errors import DataError

ARTEFACT = "impact-vectors"

FACTOR = 100
"""What Anserini's own examples multiply weights by."""

VECTORS = "vectors"

FILE_NAME = "docs.jsonl"


class Vector(NamedTuple):
    """A document's term weights, zero for all terms that are not named."""

    doc_id: str
    contents: str
    weights: Mapping[str, float]


def write(out: Path, vectors: Iterable[Vector], *, factor: int = FACTOR, command: str = "") -> int:
    """Write the folder `out`; weights that round to 0 are left out. The number of weights left out.

    Args:
        out: the folder.
        vectors: the documents.
        factor: what weights are multiplied by before they are rounded.
        command: the command line, for the manifest.

    Raises:
        DataError: a weight is negative or not finite.
        OutputError: `out` cannot be written to.
    """
    left_out = 0

    def rows() -> Iterator[str]:
        nonlocal left_out
        for vector in vectors:
            impacts = {term: _impact(vector, term, factor) for term in sorted(vector.weights)}
            kept = {term: impact for term, impact in impacts.items() if impact}
            left_out += len(impacts) - len(kept)
            yield json.dumps({"id": vector.doc_id, "contents": vector.contents, "vector": kept}, ensure_ascii=False)

    path = out / VECTORS / FILE_NAME
    write_lines(path, rows())
    outputs = {path.relative_to(out).as_posix(): files.hash_file(path)}
    manifest.Manifest(ARTEFACT, parameters={"factor": factor}, command=command, outputs=outputs).write(out)
    return left_out


def read(folder: Path) -> Iterator[Vector]:
    """The documents of a folder that `write` made, with weights divided by its factor.

    Raises:
        DataError: no such folder, or a line that is no vector.
    """
    factor = int(manifest.expect(folder, ARTEFACT, "export").parameters["factor"])
    path = folder / VECTORS / FILE_NAME
    for number, line in lines.numbered(path):
        try:
            record = json_lines.parse_object(line)
            impacts = {term: whole(impact, f"weight of {term!r}") for term, impact in record["vector"].items()}
            doc_id, contents = identifier(record["id"]), string(record.get("contents", ""), "'contents'")
        except (RowError, KeyError, AttributeError) as error:
            raise DataError(
                expected="a JSON line with `id` and `vector`, an object of whole numbers",
                got=f"{path}:{number}: {error!r}",
                consequence="nothing was used",
                remedy="make the folder again",
            ) from error
        yield Vector(doc_id, contents, {term: impact / factor for term, impact in impacts.items()})


def _impact(vector: Vector, term: str, factor: int) -> int:
    weight = vector.weights[term]
    if not math.isfinite(weight) or weight < 0:
        raise DataError(
            expected="finite weights of at least 0",
            got=f"{weight!r} for {term!r} in document {vector.doc_id!r}",
            consequence="nothing was written: an impact index holds no such weight",
            remedy="leave negative weights out, or encode the documents again",
        )
    return round(weight * factor)
