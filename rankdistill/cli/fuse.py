"""`rankdistill fuse`: several runs as one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from rankdistill.cli import console, parsing
from rankdistill.cli.options import Data, IdenticalIds, Json, Lenient, Split, Weights


def fuse(
    data: Data,
    runs: Annotated[
        list[str],
        typer.Option(help="Folders of `rankdistill evaluate`, TREC or Parquet run files: A,B; may be repeated."),
    ],
    out: Annotated[Path | None, typer.Option(help="Folder for results.json, per_query.parquet and the run.")] = None,
    split: Split = "test",
    method: Annotated[str, typer.Option(help="rrf, min_max or z_score.")] = "rrf",
    weights: Weights = None,
    rrf_k: Annotated[float, typer.Option("--rrf-k", help="Constant of rrf.")] = 60,
    fit_on: Annotated[str | None, typer.Option(help="Split that the weights are fitted on; no test split.")] = None,
    fit_runs: Annotated[
        list[str], typer.Option(help="Runs of the same systems, in the same order, on the split of --fit-on.")
    ] = [],  # noqa: B006
    name: Annotated[str | None, typer.Option(help="What tables call the fused system.")] = None,
    lenient: Lenient = False,
    ignore_identical_ids: IdenticalIds = None,
    json: Json = False,
) -> None:
    """Fuse runs and evaluate the result beside them; weights are given, or fitted on runs of a dev split."""
    import rankdistill

    console.show(
        rankdistill.fuse(
            data,
            _paths(runs),
            out,
            split=split,
            method=method,
            weights=parsing.numbers(weights, "weight"),
            rrf_k=rrf_k,
            fit_on=fit_on,
            fit_runs=_paths(fit_runs),
            name=name,
            lenient=lenient,
            ignore_identical_ids=ignore_identical_ids,
            progress=True,
            command=console.command(),
        ),
        json,
    )


def _paths(given: Sequence[str]) -> list[str]:
    return [path.strip() for one in given for path in one.split(",") if path.strip()]
