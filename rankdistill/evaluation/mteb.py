"""The same system evaluated through mteb, offline: a local task, and our index behind mteb's search protocol."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rankdistill._extras import require
from rankdistill.data import Dataset
from rankdistill.errors import DataError
from rankdistill.evaluation.measures import MEASURES
from rankdistill.evaluation.retrieve import Retriever
from rankdistill.manifest import digest

ORGANISATION = "rankdistill"
"""mteb wants names as `organisation/model`."""


def model_identity(retriever: Retriever) -> tuple[str, str]:
    """The name and revision that mteb files the results under.

    mteb looks results up by these two alone, and gives every local model the same ones: the second student evaluated
    would get the first one's scores. Here the revision hashes all that decides the run: weights, index, parameters.
    """
    return identity(retriever.name, retriever.fingerprint)


def identity(called: str, fingerprint: Mapping[str, Any]) -> tuple[str, str]:
    """The name and revision of what is called so and has this fingerprint; see `model_identity`."""
    slug = re.sub(r"[^A-Za-z0-9._-]+", "-", called).strip("-.") or "model"
    revision = digest(dict(fingerprint))[:40]
    return f"{ORGANISATION}/{slug}-{revision[:8]}", revision


def evaluate_through_mteb(
    retriever: Retriever, dataset: Dataset, split: str, folder: Path, depth: int = 100
) -> dict[str, float]:
    """The means as mteb computes them, rounded to 5 digits, with its result files under `folder`.

    `depth` is the top k that mteb asks for. It must be the depth of the run compared with: HNSW finds other documents
    when it is asked for more.

    Raises:
        MissingDependencyError: mteb is not installed.
        DataError: mteb gave no number for a measure.
    """
    mteb = require("mteb", "evaluation through mteb")
    from rankdistill.evaluation.mteb_task import RetrieverSearch, local_task

    result = mteb.evaluate(
        RetrieverSearch(retriever, dataset, *model_identity(retriever)),
        local_task(dataset, split, depth),
        cache=mteb.ResultCache(folder),
        co2_tracker=False,
        show_progress_bar=False,
    )
    scores = result.task_results[0].scores[split][0]
    values = {measure: scores.get(measure) for measure in MEASURES}
    for measure, value in values.items():
        if not isinstance(value, float) or not math.isfinite(value):
            raise DataError(
                expected=f"a number for {measure} from mteb",
                got=repr(value),
                consequence="mteb's results were not used",
                remedy="check the qrels and the installed mteb",
            )
    return {measure: round(value, 5) for measure, value in values.items()}
