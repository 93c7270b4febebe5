"""One system evaluated on one split: its run, its measures a query, its means, written to a folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Literal

from rankdistill import manifest, tables
from rankdistill.data import Dataset
from rankdistill.errors import ConfigError
from rankdistill.evaluation import curves, hits, run_files
from rankdistill.evaluation.beir import evaluate_through_beir
from rankdistill.evaluation.latency import measure_latency
from rankdistill.evaluation.measures import CONVERSATIONAL, MEASURES, Evaluated, evaluate_run
from rankdistill.evaluation.mteb import evaluate_through_mteb
from rankdistill.evaluation.per_query import PER_QUERY_FILE
from rankdistill.evaluation.per_query import read_per_query as read_per_query
from rankdistill.evaluation.results import Evaluation, System
from rankdistill.evaluation.retrieve import Retriever, answer
from rankdistill.evaluation.significance import bootstrap_interval
from rankdistill.evaluation.turns import Turns, by_turn
from rankdistill.making import making

MTEB_FOLDER = "mteb"
DEPTH = 100
"""Documents a query; the deepest measure, recall at 100, needs as many."""

Tool = Literal["mteb", "beir"]
TOOLS: tuple[Tool, ...] = ("mteb", "beir")


@dataclass(frozen=True)
class Costs:
    """What a system costs besides time a query; see `rankdistill.evaluation.results.System`."""

    model_bytes: int | None = None
    index_bytes: int | None = None
    parameters: int | None = None
    teacher_seconds: float | None = None
    teacher_pairs: int | None = None
    teacher_texts: int | None = None
    teacher_unknown: bool = False

    @property
    def decisive(self) -> dict[str, int | None]:
        """What the manifest of an evaluation has of them: how long a teacher took decides nothing of it."""
        sizes = {"model_bytes": self.model_bytes, "index_bytes": self.index_bytes, "parameters": self.parameters}
        return {**sizes, "teacher_seconds": None, "teacher_pairs": None}


def evaluate(
    retriever: Retriever,
    dataset: Dataset,
    split: str,
    out: Path,
    *,
    depth: int = DEPTH,
    through: Sequence[Tool] = (),
    latency_queries: int = 0,
    costs: Costs = Costs(),
    turns: Turns | None = None,
    trained: str | Path | None = None,
    command: str = "",
) -> Evaluation:
    """Evaluate `retriever` on `split` and write `results.json`, `per_query.parquet` and the run into `out`.

    Beside them lie, for people, `hits.parquet` and of a model that we trained `curves.json`. The run is a TREC file,
    `run.trec`; where ids hold white space, which that cannot have, `run.parquet`. The document
    that has the query's own id is left out where the data set says so (`rankdistill.data.identical_ids`), by the tools
    of `through` too; judgements of documents that the corpus lacks count (`Dataset.dangling`).

    Args:
        retriever: the system.
        dataset: queries and qrels.
        split: of the qrels.
        out: folder; if it already holds this very evaluation, that is returned.
        depth: documents a query, at least 100.
        through: tools that evaluate the same system too; what they say is under `through`.
        latency_queries: how many queries to time one by one; 0 times none. Times differ from run to run.
        costs: sizes and teacher cost, for reports.
        turns: of conversations, what is known of each question: then there are more measures, and means by turn.
        trained: the model that was trained; its curves are kept for reports.
        command: the command line, for the signature.

    Raises:
        StaleOutputError: `out` holds another evaluation.
        ConfigError: `depth` is below 100.
        DataError: no such split, or a score is not finite.
    """
    if depth < DEPTH:
        raise ConfigError(
            expected=f"a depth of at least {DEPTH}",
            got=str(depth),
            consequence="nothing was evaluated: recall at 100 would be too low",
            remedy="leave the depth out",
        )
    queries, qrels = dataset.queries(split), dataset.qrels(split)
    wanted = _manifest(retriever, dataset, split, command, {
        "split": split, "depth": depth, "through": sorted(through), "latency_queries": latency_queries,
        "name": retriever.name, "costs": costs.decisive, **dataset.decisive(split),
        **({} if turns is None else {"turns": turns.decisive}),
    })  # fmt: skip
    with making(out, wanted, again=False) as made:
        if made.current:
            return Evaluation.read(out)
        run = answer(retriever, dataset, queries, depth)
        evaluated = evaluate_run(run, qrels, besides=None if turns is None else CONVERSATIONAL)
        others: dict[str, dict[str, float]] = {}
        if "mteb" in through:
            others["mteb"] = evaluate_through_mteb(retriever, dataset, split, out / MTEB_FOLDER, depth)
        if "beir" in through:
            others["beir"] = evaluate_through_beir(run, qrels, bool(dataset.ignore_identical_ids))
        latency = measure_latency(retriever, queries, count=latency_queries) if latency_queries else None
        evaluation = Evaluation(
            system=System(
                name=retriever.name,
                measures=evaluated.means,
                intervals=mean_intervals(evaluated),
                per_query=PER_QUERY_FILE,
                latency_ms=latency,
                **asdict(costs),
            ),
            queries=len(qrels),
            through=others,
            signature=_signature(retriever, dataset, wanted),
            turns=None if turns is None else by_turn(turns, evaluated.per_query, retriever, queries),
        )
        run_files.write(out, run, chain(queries, dataset.doc_ids))
        curves.write(out, curves.of_model(trained))
        hits.write(out, run, queries, qrels, dataset)
        tables.write_parquet(out / PER_QUERY_FILE, evaluated.per_query.to_arrow())
        evaluation.write(out)
        made.wrote()
    return evaluation.lying_in(out)


def mean_intervals(evaluated: Evaluated) -> dict[str, tuple[float, float]]:
    """Measure -> 95% bootstrap interval of its mean over the queries."""
    return {name: bootstrap_interval(evaluated.per_query.get_column(name).to_numpy()) for name in evaluated.means}


def _manifest(
    retriever: Retriever, dataset: Dataset, split: str, command: str, parameters: Mapping[str, Any]
) -> manifest.Manifest:
    return manifest.Manifest(
        artefact="evaluation",
        inputs={
            "data": dataset.fingerprint,
            "qrels": dataset.qrels_hash(split),
            "system": manifest.digest(dict(retriever.fingerprint)),
        },
        parameters=parameters,
        versions=manifest.versions_of("ir-measures", "mteb", "beir", "faiss-cpu", "faiss-gpu", "torch", "transformers"),
        command=command,
    )


def _signature(retriever: Retriever, dataset: Dataset, made: manifest.Manifest) -> dict[str, Any]:
    return {
        "data": dataset.name,
        "split": made.parameters["split"],
        "data_hash": made.inputs["data"],
        "qrels_hash": made.inputs["qrels"],
        "depth": made.parameters["depth"],
        "system": dict(retriever.fingerprint),
        "measures": MEASURES if "turns" not in made.parameters else MEASURES | CONVERSATIONAL,
        "versions": dict(made.versions),
        "command": made.command,
        **dataset.decisive(made.parameters["split"]),
    }
