"""The pairs that quantised teachers of a store are calibrated with: drawn once, then the store's own.

A store that grows keeps them. So the quantised model stays the same, and with it the teacher's identity.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from rankdistill import files, integrity, plain_json
from rankdistill.inference.calibration import SAMPLES, Pairs
from rankdistill.stores.layout import Layout
from rankdistill.stores.sampling import draw, texts_of

PAIRS_A_QUERY = 2
"""Of one query: a labelled pair where there is one, and another."""


def calibration_pairs(
    layout: Layout, candidates: Path, queries: Mapping[str, str], documents: Mapping[str, str]
) -> Pairs:
    """The store's pairs; if it has none yet, some of the candidates. Writes nothing.

    Args:
        layout: the store.
        candidates: a candidate table.
        queries: query id -> text.
        documents: document id -> text.

    Raises:
        DataError: the candidates name ids that the data set lacks.
    """
    if integrity.is_there(layout.calibration, layout.root):
        kept = plain_json.read(integrity.require(layout.calibration))
        return [(query, document) for query, document in kept]
    return texts_of(draw(candidates, SAMPLES, PAIRS_A_QUERY), queries, documents)


def keep_calibration(layout: Layout, pairs: Pairs) -> None:
    """Put the pairs into a store that has none. Call it while holding the store's lock."""
    if not integrity.is_there(layout.calibration, layout.root):
        files.write_text(layout.calibration, json.dumps([list(pair) for pair in pairs], ensure_ascii=False) + "\n")
