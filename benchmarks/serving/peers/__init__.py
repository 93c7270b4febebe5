"""Servers of embeddings that ours is measured against; one file each, and one line here."""

from __future__ import annotations

from benchmarks.serving.peers import fastembed, infinity, litserve, naive, ours
from benchmarks.serving.peers.base import Peer

PEERS: dict[str, Peer] = {
    one.name: one
    for one in (ours.PEER, ours.EXACT, ours.INT8, naive.PEER, infinity.PEER, fastembed.PEER, litserve.PEER)
}
"""Ours first."""
