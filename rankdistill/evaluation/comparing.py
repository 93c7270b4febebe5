"""Systems evaluated on the same queries, tested against a baseline."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import polars as pl

from rankdistill.data.beir import DANGLING, LEFT_OUT
from rankdistill.errors import DataError
from rankdistill.evaluation.evaluating import read_per_query
from rankdistill.evaluation.measures import MEASURES
from rankdistill.evaluation.results import Comparison, Evaluation, Results
from rankdistill.evaluation.significance import PERMUTATIONS, bootstrap_interval, holm, randomisation_test

MUST_AGREE = ("data_hash", "qrels_hash", "split", "depth", LEFT_OUT, DANGLING)
"""The parts of the signature without which a paired comparison means nothing."""


def compare(
    folders: Sequence[Path], baseline: Path, *, title: str = "Comparison", command: str = "", seed: int = 0
) -> Results:
    """Compare what `rankdistill evaluate` wrote into `folders` with what it wrote into `baseline`.

    Raises:
        DataError: a folder holds no evaluation, or the evaluations are of different data, split or depth.
    """
    every = list(dict.fromkeys([baseline, *folders]))
    if len(every) < 2:
        raise DataError(
            expected="at least two evaluations, one of them the baseline",
            got=f"only {baseline}",
            consequence="nothing was compared",
            remedy="give the folder of another `rankdistill evaluate`",
        )
    evaluations = [Evaluation.read(folder) for folder in every]
    _require_same_queries(every, evaluations)
    names = _unique_names(every, evaluations)
    per_query = {name: read_per_query(folder) for name, folder in zip(names, every, strict=True)}
    signature = evaluations[0].signature
    return Results(
        title=title,
        data=signature["data"],
        split=signature["split"],
        queries=evaluations[0].queries,
        systems=[
            found.system.model_copy(update={"name": name, "per_query": None})
            for name, found in zip(names, evaluations, strict=True)
        ],
        comparisons=compare_per_query(per_query, names[0], seed=seed),
        signature={
            **{key: signature[key] for key in MUST_AGREE if key in signature},
            "measures": signature["measures"],
            "test": f"paired randomisation, {PERMUTATIONS} permutations, two-sided, Holm-corrected over systems",
            "seed": seed,
            "command": command,
            "systems": {name: found.signature for name, found in zip(names, evaluations, strict=True)},
        },
    )


def compare_per_query(
    per_query: Mapping[str, pl.DataFrame], baseline: str, seed: int = 0, measures: Iterable[str] = MEASURES
) -> list[Comparison]:
    """Each system minus the baseline, in each of `measures`: randomisation test, bootstrap interval, Holm's correction.

    The family that Holm's correction runs over is the systems compared with the baseline in one measure.

    Args:
        per_query: system -> `query_id` and one column a measure, for the same queries.
        baseline: the system that the others are compared with.
        seed: of the permutations and resamples.
        measures: keys of `MEASURES`.

    Raises:
        DataError: the systems have different queries.
    """
    reference = per_query[baseline].sort("query_id")
    others = {name: table.sort("query_id") for name, table in per_query.items() if name != baseline}
    for name, table in others.items():
        if not table.get_column("query_id").equals(reference.get_column("query_id")):
            raise _unlike(baseline, name, "the queries differ")
    found = []
    for measure in measures:
        base = reference.get_column(measure).to_numpy()
        values = {name: table.get_column(measure).to_numpy() for name, table in others.items()}
        p_values = [randomisation_test(value, base, seed=seed) for value in values.values()]
        for (name, value), p_value, p_holm in zip(values.items(), p_values, holm(p_values), strict=True):
            found.append(
                Comparison(
                    baseline=baseline,
                    system=name,
                    measure=measure,
                    difference=float((value - base).mean()),
                    interval=bootstrap_interval(value - base, seed=seed),
                    p_value=p_value,
                    p_holm=p_holm,
                )
            )
    return found


def _require_same_queries(folders: Sequence[Path], evaluations: Sequence[Evaluation]) -> None:
    first = evaluations[0].signature
    for folder, found in zip(folders[1:], evaluations[1:], strict=True):
        for key in MUST_AGREE:
            if found.signature.get(key) != first.get(key):
                difference = f"{key}: {first.get(key)!r} and {found.signature.get(key)!r}"
                raise _unlike(str(folders[0]), str(folder), difference)


def _unique_names(folders: Sequence[Path], evaluations: Sequence[Evaluation]) -> list[str]:
    count = Counter(found.system.name for found in evaluations)
    return [
        found.system.name if count[found.system.name] == 1 else f"{found.system.name} ({folder.name})"
        for folder, found in zip(folders, evaluations, strict=True)
    ]


def _unlike(first: str, second: str, difference: str) -> DataError:
    return DataError(
        expected="evaluations of the same data, split and depth, by one rule on documents of the queries' own ids",
        got=f"{first} and {second}: {difference}",
        consequence="nothing was compared: the test pairs the values of each query",
        remedy="evaluate both on the same --data and --split",
    )
