"""sentence-transformers in a FastAPI route, as tutorials have it."""

from __future__ import annotations

from benchmarks.serving.peers.base import Peer, program

PEER = Peer("naive", program("with_sentence_transformers"), own=False)
