"""Optional libraries, imported at the point of use, with the exact pip line when one is missing."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from rankdistill.errors import MissingDependencyError

EXTRA_OF = {
    "faiss": "faiss",
    "seismic": "seismic",
    "pyserini": "lucene",
    "jnius_config": "lucene",
    "openvino": "openvino",
    "nncf": "int8",
    "onnxruntime": "onnx",
    "onnx": "onnx",
    "mteb": "evaluation",
    "beir": "evaluation",
    "ir_datasets": "hub",
    "huggingface_hub": "hub",
    "upath": "remote",
    "s3fs": "remote",
    **dict.fromkeys(("charset_normalizer", "lxml", "markdown_it"), "files"),
    "httpx": "http",
    "optuna": "tune",
    "ray": "ray",
    **dict.fromkeys(("fastapi", "httptools", "orjson", "prometheus_client", "uvicorn", "uvloop"), "serve"),
    "qdrant_client": "engines",
    "qdrant_edge": "engines",
    "pymilvus": "engines",
    "psycopg": "engines",
    "pgvector": "engines",
    "lancedb": "engines",
    "opensearchpy": "engines",
    "elasticsearch": "engines",
}
"""Which extra of setup.cfg brings which module."""


def require(module: str, purpose: str) -> ModuleType:
    """Import `module`, which `purpose` needs.

    Raises:
        MissingDependencyError: it is not installed; the message has the pip line.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        root = module.partition(".")[0]
        if error.name is None or error.name.partition(".")[0] != root:
            raise
        raise MissingDependencyError(
            expected=f"the library {root!r}, which {purpose} needs",
            got="it is not installed",
            consequence="nothing was run",
            remedy=f'pip install "rankdistill[{EXTRA_OF[root]}]"' if root in EXTRA_OF else f"pip install {root}",
        ) from error
