"""fastembed (ONNX Runtime) in a FastAPI route."""

from __future__ import annotations

from benchmarks.serving.peers.base import Peer, program

PEER = Peer("fastembed", program("with_fastembed"), environment={"HF_HUB_OFFLINE": "1"})
