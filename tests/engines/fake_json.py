"""What this package asks of Elasticsearch and OpenSearch, answered from memory; every request is kept."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np


class Memory:
    """Indexes by name, and the requests so far: method, path, body."""

    def __init__(self, product: str) -> None:
        self.product = product
        self.indexes: dict[str, dict[str, Any]] = {}
        self.requests: list[tuple[str, str, dict[str, list[str]], Any]] = []
        self.authorisations: list[str | None] = []
        self.refuse: list[int] = []
        """Statuses that the next documents get instead of being kept."""

    def answer(self, method: str, path: str, lines: list[Any]) -> tuple[int, Any]:
        """Status and body."""
        if path == "/":
            return 200, {"version": {"number": "9.5.1"}, "tagline": "You Know, for Search"}
        if path == "/_bulk":
            return 200, self.bulk(lines)
        name, _, action = path.strip("/").partition("/")
        body = lines[0] if lines else None
        if method == "PUT" and not action:
            self.indexes[name] = {**deepcopy(body), "documents": {}}
            return 200, {"acknowledged": True, "index": name, "shards_acknowledged": True}
        if name not in self.indexes:
            return 404, {"error": {"type": "index_not_found_exception", "reason": name}, "status": 404}
        index = self.indexes[name]
        if method == "HEAD":
            return 200, None
        if method == "DELETE":
            del self.indexes[name]
            return 200, {"acknowledged": True}
        if action == "_mapping":
            if method == "PUT":
                index["mappings"] |= body
                return 200, {"acknowledged": True}
            return 200, {name: {"mappings": index["mappings"]}}
        if action == "_refresh":
            return 200, {"_shards": {"total": 1, "successful": 1, "failed": 0}}
        if action == "_count":
            return 200, {"count": len(index["documents"])}
        assert action == "_search", path
        return 200, self.search(index, body)

    def bulk(self, lines: list[Any]) -> Any:
        items = []
        for action, document in zip(lines[::2], lines[1::2], strict=True):
            meta = action["index"]
            status = self.refuse.pop(0) if self.refuse else 201
            item: dict[str, Any] = {"_id": meta["_id"], "_index": meta["_index"], "status": status}
            if status < 300:
                self.indexes[meta["_index"]]["documents"][meta["_id"]] = document
            else:
                item["error"] = {"type": "refused", "reason": "for a test"}
            items.append({"index": item})
        return {"took": 1, "errors": any("error" in item["index"] for item in items), "items": items}

    def search(self, index: dict[str, Any], body: Any) -> Any:
        """Scores in the engines' own units, in float32 as they have them."""
        hits = []
        for document in index["documents"].values():
            score = self.score(index["mappings"]["properties"], document, body)
            if score is not None:
                kept = {name: document[name] for name in body["_source"]}
                hits.append({"_source": kept, "_score": float(np.float32(score)), "sort": []})
        hits.sort(key=lambda hit: (-hit["_score"], hit["_source"]["position"]))
        return {"took": 1, "hits": {"hits": hits[: body["size"]]}}

    def score(self, properties: Any, document: Any, body: Any) -> float | None:
        knn = body.get("knn") or body["query"].get("knn", {}).get("dense")
        script = body.get("query", {}).get("script_score", {}).get("script")
        if knn or script:
            given = knn.get("query_vector", knn.get("vector")) if knn else next(
                value for name, value in script["params"].items() if name in ("query", "query_value")
            )  # fmt: skip
            query, vector = np.asarray(given), np.asarray(document["dense"])
            if "cosine" in json.dumps([properties["dense"], script]):
                cosine = query @ vector / np.linalg.norm(query) / np.linalg.norm(vector)
                return float(1 + cosine if script else (1 + cosine) / 2)
            dot = float(query @ vector)
            return dot + 1 if dot >= 0 else 1 / (1 - dot)
        query = body["query"]
        terms = (
            query["sparse_vector"]["query_vector"]
            if "sparse_vector" in query
            else query["neural_sparse"]["sparse"]["query_tokens"]
        )
        kept = document.get("sparse", {})
        shared = terms.keys() & kept.keys()
        return sum(terms[term] * kept[term] for term in shared) if shared else None


@contextmanager
def server(product: str) -> Iterator[tuple[str, Memory]]:
    """Its URL and its memory."""
    memory = Memory(product)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 1 << 20  # head and body in one packet

        def reply(self) -> None:
            raw = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
            lines = [json.loads(line) for line in raw.splitlines() if line]
            address = urlsplit(self.path)
            memory.requests.append((self.command, address.path, parse_qs(address.query), lines))
            memory.authorisations.append(self.headers.get("authorization"))
            status, body = memory.answer(self.command, address.path, lines)
            data = b"" if body is None else json.dumps(body).encode()
            self.send_response(status)
            if product == "elasticsearch":
                self.send_header("x-elastic-product", "Elasticsearch")
            self.send_header("content-type", self.headers.get("accept", "application/json").partition(",")[0])
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = reply  # noqa: N815

        def log_message(self, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        http.daemon_threads = True
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{http.server_port}", memory
        finally:
            http.shutdown()
            thread.join()
