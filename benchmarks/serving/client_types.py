"""Are the bodies sent to Elasticsearch and OpenSearch ones that their official clients' types allow?

    python -m benchmarks.serving.client_types [--node FOLDER]

There is no server of the two to be had where this is developed, so what `rankdistill push` and `evaluate --engine` send
is written as TypeScript, each body as a constant of the type that the official client gives it, and `tsc` compiles
that. Needs node and npm, which install the clients and TypeScript into FOLDER. Bodies with a planted mistake each are
compiled too, and must be refused: else the types would say nothing.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from benchmarks.provenance import parse, write_results
from rankdistill.engines.base import Batch, Leg, Look, Shape
from rankdistill.engines.elasticsearch import Elasticsearch
from rankdistill.engines.json_index import asked, documents
from rankdistill.engines.opensearch import OpenSearch
from rankdistill.space import Space, SparseSpace

PACKAGES = ("@elastic/elasticsearch@9.5.1", "@opensearch-project/opensearch@3.9.0", "typescript@5", "@types/node")

FIELDS = {"source": "string", "year": "integer", "price": "number", "free": "boolean", "day": "date", "tags": "strings"}

TYPES: Mapping[str, Mapping[str, str]] = {
    "elasticsearch": {
        "create": "estypes.IndicesCreateRequest",
        "search": "estypes.SearchRequest",
        "bulk": "estypes.BulkRequest",
        "mapping": "estypes.IndicesPutMappingRequest",
    },
    "opensearch": {
        "create": "API.Indices_Create_RequestBody",
        "search": "API.Search_RequestBody",
        "bulk": "API.Bulk_RequestBody",
        "mapping": "API.Indices_PutMapping_RequestBody",
    },
}
"""Engine -> what a body is for -> its type."""

IMPORTS = {
    "elasticsearch": "import type { estypes } from '@elastic/elasticsearch'",
    "opensearch": "import { type API } from '@opensearch-project/opensearch'",
}

PLANTED: Sequence[tuple[str, str, str, Any]] = (
    ("elasticsearch", "create", "mappings.properties.dense.index_options.type", "hnws"),
    ("elasticsearch", "create", "mappings.properties.sparse.index_options.prune", "never"),
    ("elasticsearch", "create", "mappings.properties.dense.dimension", 384),
    ("elasticsearch", "search", "size", "ten"),
    ("elasticsearch", "search", "knn.candidates", 10),
    ("opensearch", "create", "mappings.properties.dense.dimension", "384"),
    ("opensearch", "create", "mappings.properties.dense.type", "dense_vector"),
    ("opensearch", "create", "settings.index.knn", 1),
    ("opensearch", "search", "query.knn.dense.k", "ten"),
    ("opensearch", "search", "size", "ten"),
)
"""Engine, kind of body, the place of a mistake in the first such body that has its parent, and what is put there."""


def bodies(name: str) -> Iterator[tuple[str, dict[str, Any] | list[Any]]]:
    """Every kind of body that is sent to an engine, with what it is for."""
    dialect: Any = Elasticsearch() if name == "elasticsearch" else OpenSearch()
    for similarity in ("cosine", "dot"):
        dense = Leg("dense", Space(4, True, similarity))
        sparse = Leg("sparse", SparseSpace(9, "words", "dot"))
        for legs in ((dense, sparse), (dense,), (sparse,)):
            for exact in (False, True):
                shape = Shape({leg.name: leg for leg in legs}, FIELDS, True, exact, {"m": 16}, 2)
                yield "create", dialect.index_body(shape, "a note")
        vectors = np.ones((1, 4), np.float32)
        weights = csr_array(np.eye(1, 9, dtype=np.float32))
        for exact in (False, True):
            for leg, queries in ((dense, vectors), (sparse, weights)):
                for query in asked(leg, queries):
                    yield "search", dialect.search_body(leg, query, Look(10, exact))
        values = {"source": "a", "year": 1, "price": 0.5, "free": True, "day": "2024-05-01", "tags": ["a", "b"]}
        batch = Batch(0, ["d"], vectors, weights, ["text"], [values])
        lines = [one for document in documents(batch) for one in ({"index": {"_index": "i", "_id": "d"}}, document)]
        yield "bulk", lines
        yield "mapping", {"_meta": {"rankdistill": "a note"}}


def statement(number: int, name: str, kind: str, body: Any) -> str:
    """A constant of the body's type."""
    if name == "elasticsearch":
        if kind == "bulk":
            body = {"operations": body}
        elif kind != "search":
            body = {"index": "i", **body}
    return f"export const body{number}: {TYPES[name][kind]} = {json.dumps(body)}"


def compiled(node: Path, name: str, statements: Sequence[str]) -> list[str]:
    """What `tsc` complains about, one line a complaint."""
    with tempfile.TemporaryDirectory(dir=node.resolve()) as folder:  # named from the compiler's folder
        path = Path(folder) / f"{name}.ts"
        path.write_text("\n".join([IMPORTS[name], *statements]) + "\n")
        words = ["--noEmit", "--strict", "--skipLibCheck", "--module", "nodenext", "--target", "es2022"]
        command = ["node_modules/.bin/tsc", *words, str(path)]
        done = subprocess.run(command, cwd=node, capture_output=True, text=True, check=False)
    return [line for line in done.stdout.splitlines() if "error TS" in line]


def planted(name: str) -> list[str]:
    """Bodies with one mistake each."""
    found = []
    for engine, kind, place, value in PLANTED:
        if engine == name:
            *parents, last = place.split(".")
            for one, body in bodies(name):
                changed: Any = deepcopy(body)
                inner = changed
                for parent in parents:
                    inner = inner.get(parent) if isinstance(inner, dict) else None
                if one == kind and isinstance(inner, dict):
                    inner[last] = value
                    found.append(statement(len(found), name, kind, changed))
                    break
            else:
                raise SystemExit(f"no {kind} body of {name} has {place}")
    return found


def main(words: Sequence[str] | None = None) -> None:
    """Compile the bodies of both engines."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--node", type=Path, default=Path("runs/client_types"), help="where npm installs the clients")
    given = parse(parser, words)
    if not (given.node / "node_modules").is_dir():
        given.node.mkdir(parents=True, exist_ok=True)
        subprocess.run(["npm", "init", "-y"], cwd=given.node, check=True, stdout=subprocess.DEVNULL)
        subprocess.run(["npm", "install", "--no-audit", "--no-fund", *PACKAGES], cwd=given.node, check=True)
    told: dict[str, Any] = {}
    for name in TYPES:
        every = [statement(number, name, kind, body) for number, (kind, body) in enumerate(bodies(name))]
        wrong = planted(name)
        complaints, caught = compiled(given.node, name, every), compiled(given.node, name, wrong)
        for line in complaints:
            print(line)
        # A mistake may be told on several lines, each of which names its place in the file.
        lines = {line.partition("(")[2].partition(",")[0] for line in caught}
        told[name] = {"bodies": len(every), "refused": len(complaints), "planted": len(wrong), "caught": len(lines)}
        print(f"{name}: {len(every)} bodies, {len(complaints)} refused; {len(lines)} of {len(wrong)} mistakes caught")
    print("results:", write_results("engine_client_types", {"clients": list(PACKAGES[:2]), "engines": told}))
    if any(one["refused"] or one["caught"] != one["planted"] for one in told.values()):
        sys.exit("a body is not of its type, or the types did not see a planted mistake")


if __name__ == "__main__":
    main()
