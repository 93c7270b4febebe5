"""What the verbs with fusion share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rankdistill.cli import console

if TYPE_CHECKING:
    from rankdistill.data import Dataset
    from rankdistill.evaluation.evaluating import Costs
    from rankdistill.evaluation.fused import FusedRetriever
    from rankdistill.evaluation.retrieve import Retriever
    from rankdistill.fusion import Fusion


def parse_fusion(method: str | None, weights: str | None, fit_on: str | None = None) -> Fusion | None:
    """The fusion of `--fusion METHOD --weights A,B`; None where there is no method.

    Raises:
        ConfigError: weights or a split to fit them on without a method, both at once, no such method, or weights that
            are no numbers.
    """
    from rankdistill.errors import ConfigError
    from rankdistill.fusion import Fusion

    given = sum(one is not None for one in (weights, fit_on))
    if given > (1 if method is not None else 0):
        raise ConfigError(
            expected="--fusion METHOD with --weights, or with a split to fit them on, or with neither",
            got=f"--fusion {method}, --weights {weights}, --fit-on {fit_on}",
            consequence="nothing was run",
            remedy="add --fusion, or leave the weights or the split out",
        )
    return None if method is None else Fusion(method, parse_weights(weights))


def parse_weights(text: str | None) -> tuple[float, ...] | None:
    """`0.7,0.3` as two numbers; None stays None.

    Raises:
        ConfigError: a part is no number.
    """
    from rankdistill.data.values import number
    from rankdistill.errors import ConfigError

    if text is None:
        return None
    try:
        return tuple(number(part, "weight") for part in text.split(","))
    except ValueError as error:
        raise ConfigError(
            expected="weights as numbers with commas between, as 0.7,0.3",
            got=repr(text),
            consequence="nothing was fused",
            remedy="give one weight for each system",
        ) from error


def require_fusable(indexes: int, fusion: Fusion | None, model: str | None) -> None:
    """Raise ConfigError unless there is one index without a fusion, or several with one and with their own models."""
    from rankdistill.errors import ConfigError

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


def open_fused(
    dataset: Dataset,
    indexes: Sequence[Mapping[str, Any]],
    fusion: Fusion,
    splits: tuple[str | None, str],
    name: str | None,
) -> tuple[FusedRetriever, Costs]:
    """The system of several indexes, and what they and their models cost together.

    Args:
        dataset: the documents.
        indexes: the settings of `open_retriever` for each.
        fusion: the method.
        splits: the one that weights are fitted on, or None, and the one that the system is judged on.
        name: what tables call it.
    """
    from rankdistill.evaluation.evaluating import Costs
    from rankdistill.evaluation.footprint import footprint
    from rankdistill.evaluation.fused import FusedRetriever
    from rankdistill.evaluation.opening import open_retriever
    from rankdistill.indexing import StoredIndex

    parts = [open_retriever(dataset, **settings) for settings in indexes]
    fitted = fusion if splits[0] is None else fit(parts, fusion, dataset, splits[0], splits[1])
    stored = [part.index for part in parts if isinstance(part.index, StoredIndex)]
    sizes = [footprint(model) for model in dict.fromkeys(one.model for one in stored) if model is not None]
    costs = Costs(
        model_bytes=sum(size.model_bytes or 0 for size in sizes),
        index_bytes=sum(one.size for one in stored),
        parameters=sum(size.parameters or 0 for size in sizes),
    )
    return FusedRetriever(parts, fitted, name=name), costs


def fit(parts: Sequence[Retriever], fusion: Fusion, dataset: Dataset, split: str, tested: str) -> Fusion:
    """`fusion` with weights fitted on `split`, which are printed; see `rankdistill.evaluation.fused.fit_on`."""
    from rankdistill.evaluation.fused import fit_on

    with console.progress("settings") as bar:
        task = bar.add_task("fit", total=None)
        fitted, quality = fit_on(parts, fusion, dataset, split, tested, progress=lambda done: bar.advance(task, done))
        bar.remove_task(task)
    shown = ",".join(f"{weight:g}" for weight in fitted.weights or ())
    console.out.print(
        f"weights fitted on {split}: {shown} (nDCG@10 {quality:.4f}, {len(dataset.qrels(split)):,} queries)",
        highlight=False,
    )
    return fitted
