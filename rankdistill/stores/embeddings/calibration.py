"""The texts that a quantised teacher of an embedding store is calibrated with: drawn once, then the store's own."""

from __future__ import annotations

import json

from rankdistill import files, integrity, plain_json
from rankdistill.inference.calibration import SAMPLES, Pairs
from rankdistill.stores.embeddings.gathering import Gathered
from rankdistill.stores.embeddings.layout import Layout


def calibration_texts(layout: Layout, gathered: Gathered) -> Pairs:
    """The store's pairs of texts; if it has none yet, some of those gathered, in their order. Writes nothing.

    A model of single texts is calibrated with the first text of one pair, the second of the next, and so on; so each
    pair is a text twice.
    """
    if integrity.is_there(layout.calibration, layout.root):
        return [(left, right) for left, right in plain_json.read(integrity.require(layout.calibration))]
    return [(text, text) for text in gathered.sample(SAMPLES)["text"].to_pylist()]


def keep_calibration(layout: Layout, pairs: Pairs) -> None:
    """Put the pairs into a store that has none. Call it while holding the store's lock."""
    if not integrity.is_there(layout.calibration, layout.root):
        files.write_text(layout.calibration, json.dumps([list(pair) for pair in pairs], ensure_ascii=False) + "\n")
