"""`rankdistill serve`, as a user starts it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.serving.peers.base import Peer


def _command(python: str, model: Path, port: int, threads: int) -> Sequence[str]:
    serve = [python, "-m", "rankdistill.cli.main", "serve", str(model), "--port", str(port)]
    return [*serve, "--threads", str(threads)]


PEER = Peer("rankdistill", _command, own=False, extra={"input_type": "query", "encoding_format": "float"})
