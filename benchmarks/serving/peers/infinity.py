"""infinity, as its documentation starts it for a processor, without telemetry and remote code.

Its release works with a sentence-transformers that does not know the present names of modules.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.serving.peers.base import Peer, in_older_layout


def _command(python: str, bundle: Path, port: int, threads: int) -> Sequence[str]:
    program = str(Path(python).parent / "infinity_emb")
    engine = ["--engine", "torch", "--device", "cpu", "--no-bettertransformer", "--no-trust-remote-code"]
    where = ["--host", "127.0.0.1", "--port", str(port), "--url-prefix", "/v1"]
    return [
        program,
        "v2",
        "--model-id",
        str(in_older_layout(bundle / "query")),
        "--served-model-name",
        "model",
        *engine,
        *where,
    ]


PEER = Peer(
    "infinity",
    _command,
    environment={"HF_HUB_OFFLINE": "1", "INFINITY_ANONYMOUS_USAGE_STATS": "0", "DO_NOT_TRACK": "1"},
    extra={"model": "model"},
    model="model",
)
