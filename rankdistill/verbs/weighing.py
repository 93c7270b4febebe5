"""Several systems as one: what fusing asks of the settings, and weights that are fitted."""

from __future__ import annotations

from collections.abc import Sequence

from rankdistill.data import Dataset
from rankdistill.errors import ConfigError
from rankdistill.evaluation.fused import Fitted, fit_on
from rankdistill.evaluation.retrieve import Retriever
from rankdistill.fusion import Fusion
from rankdistill.progress import Reporter


def require_fusable(indexes: int, fusion: Fusion | None, model: str | None) -> None:
    """Raise ConfigError unless there is one index without a fusion, or several with one and with their own models."""
    if (indexes > 1) != (fusion is not None):
        raise ConfigError(
            expected="several --index with --fusion METHOD, or one without",
            got=f"{indexes} with {fusion.method}" if fusion is not None else f"{indexes} without a fusion",
            consequence="nothing was searched",
            remedy="add --fusion rrf" if fusion is None else "name another index, or leave the fusion out",
        )
    if fusion is not None and model is not None:
        raise ConfigError(
            expected="no model beside several indexes: each is searched with its own",
            got=repr(model),
            consequence="nothing was searched",
            remedy="leave the model out",
        )


def fit(
    parts: Sequence[Retriever], fusion: Fusion, dataset: Dataset, split: str, tested: str, reporter: Reporter
) -> Fitted:
    """`fusion` with weights fitted on `split`; see `rankdistill.evaluation.fused.fit_on`."""
    with reporter.stage("fit", "settings") as stage:
        fitted, quality = fit_on(parts, fusion, dataset, split, tested, progress=stage)
    return Fitted(fitted, split, quality, len(dataset.qrels(split)))
