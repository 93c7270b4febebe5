"""`rankdistill serve`: as a user starts it, with the exact back end that the peers' numbers have, and in int8."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.serving.peers.base import Peer

PROGRAM = ("-c", "import sys; sys.argv[0] = 'rankdistill'; from rankdistill.cli.main import main; main()")
"""The command `rankdistill`, whichever Python it is of."""

_FIELDS = {"input_type": "query", "encoding_format": "float"}


def _command(python: str, bundle: Path, port: int, threads: int) -> Sequence[str]:
    return [python, *PROGRAM, "serve", str(bundle), "--port", str(port), "--threads", str(threads)]


def _exact(python: str, bundle: Path, port: int, threads: int) -> Sequence[str]:
    return [*_command(python, bundle, port, threads), "--backend", "auto"]


def _int8(python: str, bundle: Path, port: int, threads: int) -> Sequence[str]:
    return [*_command(python, bundle, port, threads), "--backend", "openvino-int8"]


PEER = Peer("rankdistill", _command, own=False, extra=_FIELDS)
EXACT = Peer("rankdistill float32", _exact, own=False, extra=_FIELDS)
INT8 = Peer("rankdistill int8", _int8, own=False, extra=_FIELDS)
OURS = (PEER.name, EXACT.name, INT8.name)
