"""Systems evaluated on the same queries, tested against a baseline."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from rankdistill.data.beir import DANGLING, LEFT_OUT
from rankdistill.errors import ConfigError, DataError
from rankdistill.evaluation import curves, hits
from rankdistill.evaluation.curves import Training
from rankdistill.evaluation.evaluating import read_per_query
from rankdistill.evaluation.measures import CONVERSATIONAL, MEASURES
from rankdistill.evaluation.results import MAIN_MEASURE, Comparison, Evaluation, Results, System, require_measure
from rankdistill.evaluation.significance import PERMUTATIONS, holm, randomisation_test, trainings_interval
from rankdistill.evaluation.systems import Change, Changed, Hit
from rankdistill.notes import note

MUST_AGREE = ("data_hash", "qrels_hash", "split", "depth", LEFT_OUT, DANGLING)
"""The parts of the signature without which a paired comparison means nothing."""

EXAMPLES = 5
"""Queries that are shown each way, for each system."""

TEST = (
    f"paired randomisation over queries, {PERMUTATIONS} permutations, two-sided, Holm-corrected over systems; "
    "a query's value is the mean over a system's trainings; intervals resample queries and trainings"
)
"""What is tested, and what is resampled."""


@dataclass(frozen=True)
class Trained:
    """One system that was trained several times, alike but for the seed.

    Args:
        name: what the tables call it.
        folders: what `rankdistill evaluate` wrote for each training.

    Raises:
        ConfigError: one of them twice, also by another path.
    """

    name: str
    folders: tuple[Path, ...]

    def __post_init__(self) -> None:
        count = Counter(folder.resolve() for folder in self.folders)
        if twice := [str(folder) for folder, times in count.items() if times > 1]:
            raise ConfigError(
                expected=f"each evaluation of {self.name!r} once (NAME=FOLDER,FOLDER,...)",
                got=f"{', '.join(map(str, self.folders))}, where {twice[0]} stands twice",
                consequence="nothing was compared: one training would count as two",
                remedy="leave one out",
            )


def parse_system(words: str) -> Path | Trained:
    """`FOLDER`, or `NAME=FOLDER,FOLDER,...`: the evaluations of one system's trainings.

    A folder whose own name holds `=` is meant where it is there.
    """
    name, given, folders = words.partition("=")
    if not given or Path(words).is_dir():
        return Path(words)
    paths = tuple(Path(folder) for folder in folders.split(",") if folder)
    if not name or not paths:
        raise ConfigError(
            expected="NAME=FOLDER,FOLDER,...: a name, and the evaluation of each training, each once",
            got=repr(words),
            consequence="nothing was compared",
            remedy="give --baseline and the others as folders, or in this form",
        )
    return Trained(name, paths)


def compare(
    systems: Sequence[Path | Trained],
    baseline: Path | Trained,
    *,
    title: str = "Comparison",
    command: str = "",
    seed: int = 0,
    measure: str = MAIN_MEASURE,
    examples: int = EXAMPLES,
) -> Results:
    """Compare systems with a baseline, each given by what `rankdistill evaluate` wrote.

    Args:
        systems: the folder of each, or its name and the folders of its trainings: then its measures are the means over
            them, and what is tested is the mean that a query has over them.
        baseline: likewise.
        title: of the report.
        command: the command line, for the signature.
        seed: of the permutations and resamples.
        measure: in which queries are won and lost that are shown.
        examples: how many queries each way, for each system.

    Raises:
        DataError: a folder holds no whole evaluation, or the evaluations are of different data, split or depth.
        ConfigError: two systems are given one name, no such measure.
    """
    every = _distinct([baseline, *systems])
    if len(every) < 2:
        raise DataError(
            expected="at least two evaluations, one of them the baseline",
            got=f"only {_called(baseline)}",
            consequence="nothing was compared",
            remedy="give the folder of another `rankdistill evaluate`",
        )
    groups = list(map(_folders, every))
    folders = [folder for group in groups for folder in group]
    evaluations = {folder: Evaluation.read(folder) for folder in folders}
    _require_same_queries(folders, [evaluations[folder] for folder in folders])
    names = _unique_names(every, evaluations)
    tables = {folder: _values_of_queries(folder, evaluations[folder]) for folder in folders}
    per_query = {name: [tables[folder] for folder in group] for name, group in zip(names, groups, strict=True)}
    first = evaluations[folders[0]]
    signature = first.signature
    require_measure(measure, first.system.measures)
    return Results(
        title=title,
        data=signature["data"],
        split=signature["split"],
        queries=first.queries,
        systems=[
            _averaged(name, [evaluations[folder].system for folder in group], per_query[name], seed)
            for name, group in zip(names, groups, strict=True)
        ],
        comparisons=compare_per_query(per_query, names[0], seed=seed, measures=_shared(per_query)),
        changed=changed(
            per_query,
            {name: group[0] for name, group in zip(names, groups, strict=True)},
            names[0],
            measure,
            examples,
        ),
        trainings=_trainings(names, groups),
        signature={
            **{key: signature[key] for key in MUST_AGREE if key in signature},
            "measures": signature["measures"],
            "test": TEST,
            "seed": seed,
            "command": command,
            "systems": {
                name: _signature([evaluations[folder] for folder in group])
                for name, group in zip(names, groups, strict=True)
            },
        },
    )


def nested_values(
    systems: Sequence[Path | Trained], measure: str, seed: int = 0
) -> tuple[list[str], list[tuple[System, NDArray[np.float64]]]]:
    """The query ids, and each system with its values of one measure, `[trainings, queries]`.

    Args:
        systems: as `compare` takes them.
        measure: a key of `MEASURES`.
        seed: of the intervals of a system's means over trainings.

    Raises:
        DataError: a folder holds no whole evaluation, or the evaluations are of different data, split or depth.
    """
    groups = list(map(_folders, systems))
    folders = list(dict.fromkeys(folder for group in groups for folder in group))
    evaluations = {folder: Evaluation.read(folder) for folder in folders}
    _require_same_queries(folders, [evaluations[folder] for folder in folders])
    tables = {folder: _values_of_queries(folder, evaluations[folder]).sort("query_id") for folder in folders}
    query_ids = tables[folders[0]].get_column("query_id")
    for folder, table in tables.items():
        if not table.get_column("query_id").equals(query_ids):
            raise _unlike(str(folders[0]), str(folder), "the queries differ")
    found = []
    for system, group in zip(systems, groups, strict=True):
        per_query = [tables[folder] for folder in group]
        name = system.name if isinstance(system, Trained) else evaluations[group[0]].system.name
        described = _averaged(name, [evaluations[folder].system for folder in group], per_query, seed)
        found.append((described, _values(per_query, measure)))
    return query_ids.to_list(), found


def _distinct(systems: Sequence[Path | Trained]) -> list[Path | Trained]:
    """Each once; a note on one that stands for the evaluations of another, under a name of its own."""
    found: dict[frozenset[Path], Path | Trained] = {}
    for one in systems:
        first = found.setdefault(frozenset(folder.resolve() for folder in _folders(one)), one)
        named = isinstance(first, Trained) or isinstance(one, Trained)
        if named and _called(first) != _called(one):
            note(f"{_called(one)} is left out: its evaluations are those of {_called(first)}, under another name")
    return list(found.values())


def _folders(system: Path | Trained) -> tuple[Path, ...]:
    return system.folders if isinstance(system, Trained) else (system,)


def _called(system: Path | Trained) -> str:
    return system.name if isinstance(system, Trained) else str(system)


PerQuery = pl.DataFrame | Sequence[pl.DataFrame]
"""`query_id` and one column a measure; one table, or one for each training of the system."""


def compare_per_query(
    per_query: Mapping[str, PerQuery], baseline: str, seed: int = 0, measures: Iterable[str] = MEASURES
) -> list[Comparison]:
    """Each system minus the baseline, in each of `measures`: randomisation test, bootstrap interval, Holm's correction.

    The test permutes over queries the mean that each has over a system's trainings; the interval draws queries and
    trainings. The family that Holm's correction runs over is the systems compared with the baseline in one measure.

    Args:
        per_query: system -> its values, for the same queries.
        baseline: the system that the others are compared with.
        seed: of the permutations and resamples.
        measures: keys of `MEASURES`.

    Raises:
        DataError: the systems have different queries.
    """
    tables = {
        name: [table.sort("query_id") for table in ([found] if isinstance(found, pl.DataFrame) else found)]
        for name, found in per_query.items()
    }
    reference = tables.pop(baseline)
    for name, trainings in {baseline: reference, **tables}.items():
        for table in trainings:
            if not table.get_column("query_id").equals(reference[0].get_column("query_id")):
                raise _unlike(baseline, name, "the queries differ")
    found = []
    for measure in measures:
        base = _values(reference, measure)
        values = {name: _values(trainings, measure) for name, trainings in tables.items()}
        p_values = [randomisation_test(value.mean(axis=0), base.mean(axis=0), seed=seed) for value in values.values()]
        for (name, value), p_value, p_holm in zip(values.items(), p_values, holm(p_values), strict=True):
            found.append(
                Comparison(
                    baseline=baseline,
                    system=name,
                    measure=measure,
                    difference=float((value.mean(axis=0) - base.mean(axis=0)).mean()),
                    interval=trainings_interval(value, base, seed=seed),
                    p_value=p_value,
                    p_holm=p_holm,
                    by_training=_by_training(value, base),
                    **_effect(value.mean(axis=0) - base.mean(axis=0)),
                )
            )
    return found


SAME = 1e-12
"""Differences up to this are none: means over trainings are sums of floats."""


def _effect(differences: NDArray[np.float64]) -> dict[str, Any]:
    """The fields of a `Comparison` that say how large a difference is."""
    spread = float(differences.std(ddof=1)) if len(differences) > 1 else 0.0
    return {
        "effect": float(differences.mean()) / spread if spread > SAME else None,
        "won": int((differences > SAME).sum()),
        "tied": int((np.abs(differences) <= SAME).sum()),
        "lost": int((differences < -SAME).sum()),
    }


def changed(
    per_query: Mapping[str, Sequence[pl.DataFrame]],
    folders: Mapping[str, Path],
    baseline: str,
    measure: str,
    most: int,
) -> list[Changed]:
    """The queries that each system wins and loses most against the baseline, with the texts that are known.

    Args:
        per_query: system -> the values of each of its trainings, for the same queries.
        folders: system -> the evaluation whose hits are shown, the first of its trainings.
        baseline: the system that the others are compared with.
        measure: a key of `MEASURES`.
        most: queries either way.
    """
    if most < 1 or any(measure not in table.columns for trainings in per_query.values() for table in trainings):
        return []
    values = {
        name: _values([table.sort("query_id") for table in trainings], measure).mean(axis=0)
        for name, trainings in per_query.items()
    }
    query_ids = per_query[baseline][0].sort("query_id").get_column("query_id").to_list()
    chosen = {}
    for name in (one for one in values if one != baseline):
        differences = values[name] - values[baseline]
        order = np.argsort(-differences, kind="stable")
        won = [place for place in order[:most] if differences[place] > SAME]
        lost = [place for place in order[::-1][:most] if differences[place] < -SAME]
        chosen[name] = (won, lost)
    wanted = {query_ids[place] for pair in chosen.values() for side in pair for place in side}
    shown = {name: _hits(folder, wanted) for name, folder in folders.items()}

    def change(name: str, place: int) -> Change:
        query_id = query_ids[place]
        (text, theirs), (own_text, ours) = (shown[one].get(query_id, (None, [])) for one in (baseline, name))
        return Change(
            query_id=query_id,
            text=text or own_text,
            baseline=float(values[baseline][place]),
            system=float(values[name][place]),
            baseline_hits=theirs,
            system_hits=ours,
        )

    return [
        Changed(
            baseline=baseline,
            system=name,
            measure=measure,
            won=[change(name, place) for place in won],
            lost=[change(name, place) for place in lost],
        )
        for name, (won, lost) in chosen.items()
    ]


def _trainings(names: Sequence[str], groups: Sequence[Sequence[Path]]) -> list[Training]:
    """The curves of each system whose evaluations keep some."""
    found = {
        name: [one for folder in group if (one := curves.read(folder)) is not None]
        for name, group in zip(names, groups, strict=True)
    }
    return [Training(system=name, curves=several) for name, several in found.items() if several]


def _hits(folder: Path, query_ids: Collection[str]) -> dict[str, tuple[str, list[Hit]]]:
    """Query id -> its text and its hits, as the evaluation in `folder` keeps them; empty where it keeps none."""
    found: dict[str, tuple[str, list[Hit]]] = {}
    for query_id, text, rank, doc_id, label, document in hits.read(folder, query_ids).iter_rows():
        of = found.setdefault(query_id, (text, []))[1]
        if doc_id is not None:
            of.append(Hit(doc_id=doc_id, rank=rank, label=label, text=document))
    return found


def _values(trainings: Sequence[pl.DataFrame], measure: str) -> NDArray[np.float64]:
    """The values of one measure, [trainings, queries]."""
    return np.stack([table.get_column(measure).to_numpy() for table in trainings])


def _by_training(value: NDArray[np.float64], base: NDArray[np.float64]) -> list[float]:
    """Each training against the baseline's of the same place where there are as many, else against their mean."""
    if len(value) == len(base) == 1:
        return []
    against = base if len(base) == len(value) else base.mean(axis=0, keepdims=True)
    return [float(difference) for difference in (value - against).mean(axis=1)]


def _averaged(name: str, trainings: Sequence[System], per_query: Sequence[pl.DataFrame], seed: int) -> System:
    """The system, its measures averaged over its trainings; costs are those of the first."""
    if len(trainings) == 1:
        return trainings[0].model_copy(update={"name": name, "per_query": None})
    measures = {key: [one.measures[key] for one in trainings] for key in trainings[0].measures}
    values = {key: _values(per_query, key) for key in measures}
    return trainings[0].model_copy(
        update={
            "name": name,
            "per_query": None,
            "measures": {key: fmean(found) for key, found in measures.items()},
            "intervals": {
                key: trainings_interval(table, np.zeros_like(table[:1]), seed=seed) for key, table in values.items()
            },
            "trainings": len(trainings),
            "deviations": {key: stdev(found) for key, found in measures.items()},
        }
    )


def _signature(evaluations: Sequence[Evaluation]) -> Any:
    """Of the one evaluation, or of each training's."""
    found = [evaluation.signature for evaluation in evaluations]
    return found[0] if len(found) == 1 else found


def _require_same_queries(folders: Sequence[Path], evaluations: Sequence[Evaluation]) -> None:
    against, first = evaluations[0], evaluations[0].signature
    for folder, found in zip(folders[1:], evaluations[1:], strict=True):
        for key in MUST_AGREE:
            if found.signature.get(key) != first.get(key):
                one, other = first.get(key), found.signature.get(key)
                if key == "qrels_hash" and against.queries != found.queries:
                    counts = f"{against.queries:,} and {found.queries:,} judged queries (qrels_hash)"
                    same_split = found.signature.get("split") == first.get("split")
                    if not same_split:
                        counts += f", of {first.get('split')} and {found.signature.get('split')}"
                    dropped = same_split and _read_rewrites(against, found)
                    raise _unlike(str(folders[0]), str(folder), counts, dropped)
                difference = f"{key}: {one!r} and {other!r}"
                if key == "depth":
                    difference += " documents a query (evaluations of --tasks keep more than others)"
                if key == LEFT_OUT:
                    difference = f"documents left out for having a query's id ({key}): {one or 0} and {other or 0}"
                raise _unlike(str(folders[0]), str(folder), difference)


def _read_rewrites(*evaluations: Evaluation) -> bool:
    """Whether a system reads rewrites, which questions may lack."""
    return any(one.turns is not None and one.turns.reads.startswith("rewrite:") for one in evaluations)


def _shared(per_query: Mapping[str, PerQuery]) -> list[str]:
    """The measures that every system has: evaluations of conversations have more."""
    found = [[one] if isinstance(one, pl.DataFrame) else one for one in per_query.values()]
    every = [table.columns for tables in found for table in tables]
    return [*MEASURES, *(name for name in CONVERSATIONAL if all(name in columns for columns in every))]


def _values_of_queries(folder: Path, evaluation: Evaluation) -> pl.DataFrame:
    """The values of each query, of every measure; raises DataError where the folder does not hold them all."""
    table = read_per_query(folder)
    known = table.columns if len(table) == evaluation.queries else []
    if lacking := [name for name in MEASURES if name not in known or name not in evaluation.system.measures]:
        raise DataError(
            expected=f"in {folder} the mean and {evaluation.queries} values each of {', '.join(MEASURES)}",
            got=f"{len(table)} queries, without {', '.join(lacking)}" if known else f"values of {len(table)} queries",
            consequence="nothing was compared",
            remedy="evaluate it again",
        )
    return table


def _unique_names(systems: Sequence[Path | Trained], evaluations: Mapping[Path, Evaluation]) -> list[str]:
    """What tables call each system; raises ConfigError where two are given one name by hand, or one stands there twice.

    Systems of one name get as much of their folders' paths as tells them apart.
    """
    given = Counter(one.name for one in systems if isinstance(one, Trained))
    if twice := [name for name, times in given.items() if times > 1]:
        raise ConfigError(
            expected="a name of its own for each system given as NAME=FOLDER,...",
            got=f"{twice[0]!r} twice",
            consequence="nothing was compared: one would stand for the other",
            remedy="give each another name",
        )
    names = [one.name if isinstance(one, Trained) else evaluations[one].system.name for one in systems]
    count = Counter(names)
    alike = {
        place: one for place, one in enumerate(systems) if not isinstance(one, Trained) and count[names[place]] > 1
    }
    parts = {place: one.resolve().parts for place, one in alike.items()}
    for few in range(1, max(map(len, parts.values()), default=1) + 1):
        shown = {place: f"{names[place]} ({'/'.join(every[-few:])})" for place, every in parts.items()}
        if len({*shown.values()}) == len(shown):
            return [shown.get(place, name) for place, name in enumerate(names)]
    stand = Counter("/".join(every) for every in parts.values())
    raise ConfigError(
        expected="each evaluation once",
        got=f"{stand.most_common(1)[0][0]} twice",
        consequence="nothing was compared: one would stand for the other",
        remedy="leave one out",
    )


def _unlike(first: str, second: str, difference: str, rewrites: bool = False) -> DataError:
    return DataError(
        expected="evaluations of the same data, split and depth, by one rule on documents of the queries' own ids",
        got=f"{first} and {second}: {difference}",
        consequence="nothing was compared: the test pairs the values of each query",
        remedy="evaluate the rewrites again without --missing-rewrites drop, which leaves questions out: "
        "--missing-rewrites question takes their own words"
        if rewrites
        else "evaluate both in the same way: both with --tasks or neither, on the same --data and --split, and both "
        "with --ignore-identical-ids or neither",
    )
