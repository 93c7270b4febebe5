"""LitServe around ONNX Runtime, with its batching."""

from __future__ import annotations

from benchmarks.serving.peers.base import Peer, program

PEER = Peer("litserve", program("with_litserve"))
