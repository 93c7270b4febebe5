"""A real student, published in dry run: every check must pass; then eight faults, each of which must be caught.

    python -m benchmarks.publication --data DATA --work WORK [--steps 60] [--tasks SciFact,NFCorpus]

Two layers of all-MiniLM-L6-v2 are aligned with its vectors of MS MARCO mini and trained on its margins, of the whole
batch. mteb's tasks, whose data lie in DATA, are evaluated with it; `publish` then checks lineage, disclosure, leakage,
scores, files and prompts, and runs mteb's mock tasks. The same publication follows once with each of `FAULTS`, which
refuses it. With `--work` of `benchmarks.when_it_pays` and its settings, what that prepared is not made again.
Interrupted, the same command goes on. It ends with 1 if a check refuses the clean one, or if a fault is not caught.
"""

from __future__ import annotations

import argparse
import itertools
import json
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

import rankdistill
from benchmarks.provenance import parse, write_results
from benchmarks.student_cells import COMMON, settings_of
from benchmarks.student_sets import DENSE, PreparedSet, emptied
from benchmarks.when_it_pays import OBJECTIVES
from rankdistill import files
from rankdistill.data import Dataset

LEAKY = 40
"""Training queries of a student with a leak."""

COLLECTION, OBJECTIVE, NAME = "msmarco_mini", "all margins in batch", "example-org/two-layers"

KNOWN: Mapping[str, Any] = {
    "license": "apache-2.0",
    "release_date": "2026-11-30",
    "public_training_code": "https://pypi.org/project/rankdistill",
    "collections": {"data": ["MSMARCO"]},
    "limits": ["It was trained on English alone."],
}
"""What no manifest knows; what mteb knows of all-MiniLM-L6-v2 is its own."""

Edit = Callable[[Path, Path], object]
"""Changes copied results: (folder of mteb's files, folder of all)."""


def edited(name: str, change: Callable[[Any], object]) -> Edit:
    """Changes the content of one of mteb's files."""

    def edit(folder: Path, root: Path) -> None:
        content = json.loads((folder / name).read_text())
        change(content)
        (folder / name).write_text(json.dumps(content))

    return edit


def copied(results: Path, into: Path, edit: Edit) -> Path:
    """A copy of results with a fault."""
    shutil.copytree(results, into)
    (folder,) = (into / "results").glob("*/*")
    edit(folder, into)
    return into


def better(content: Any) -> None:
    """A result whose nDCG@10 is not what was measured."""
    content["scores"]["test"][0].update(ndcg_at_10=0.99, main_score=0.99)


@dataclass(frozen=True)
class Fault:
    """Something wrong with a publication.

    Args:
        check: that must refuse.
        edit: (task) -> what it does to the results.
        words: (words of the publisher) -> the same with the fault.
        leak: (text of a test query) -> what the student was trained on beside the rest: another student, of few steps.
    """

    check: str
    edit: Callable[[str], Edit] | None = None
    words: Callable[[dict[str, Any]], dict[str, Any]] | None = None
    leak: Callable[[str], str] | None = None


FAULTS: Mapping[str, Fault] = {
    "wrong revision": Fault(
        "identity", edit=lambda task: edited("model_meta.json", lambda meta: meta.update(revision="f" * 40))
    ),
    "undisclosed training set": Fault("training_data", words=lambda said: said | {"collections": {}}),
    "a teacher's set left out": Fault("training_data", words=lambda said: said | {"training_datasets": ["MSMARCO"]}),
    "leaked test query": Fault("leakage", leak=lambda text: f"{text.upper()}?"),
    "near-duplicate leak": Fault("leakage", leak=lambda text: f"{text} exactly"),
    "edited score": Fault("scores", edit=lambda task: edited(f"{task}.json", better)),
    "other data set revision": Fault(
        "data", edit=lambda task: edited(f"{task}.json", lambda content: content.update(dataset_revision="b" * 40))
    ),
    "missing run settings": Fault(
        "files", edit=lambda task: lambda folder, root: (folder / "run_settings.jsonl").unlink()
    ),
}


@dataclass(frozen=True)
class Publication:
    """What is published, and with what.

    Args:
        student: the student.
        results: of the tasks.
        tasks: their names.
        data: folder of their collections.
        lineage: folders in which what made the student lies.
        work: for what is made here.
    """

    student: Path
    results: Path
    tasks: tuple[str, ...]
    data: Path
    lineage: tuple[Path, ...]
    work: Path

    def published(self, called: str, fault: Fault | None = None) -> dict[str, Any]:
        """Status and sentence of each check of a dry run, and whether it is ready."""
        place = self.work / called.replace(" ", "-").replace("'", "")
        student, results, words, lineage = self.student, self.results, dict(KNOWN), self.lineage
        place.mkdir(parents=True, exist_ok=True)
        emptied(place / "published")
        if fault and fault.edit:
            emptied(place / "results")
            results = copied(results, place / "results", fault.edit(self.tasks[-1]))
        if fault and fault.words:
            words = fault.words(words)
        if fault and fault.leak:
            words["collections"] = words["collections"] | {"leaky": ["MSMARCO"]}
            student = self._leaky(fault.leak, place)
            results = evaluated(student, self.data, self.tasks[-1:], place / "results")
            lineage = (place, *lineage)
        files.write_text(place / "publish.yaml", yaml.safe_dump(words))
        found = rankdistill.publish(
            student,
            place / "published",
            results=results,
            config=place / "publish.yaml",
            lineage=lineage,
            latency=0 if fault else 20,
            mock_run=fault is None,
            dry_run=True,
        )
        told = {one.check: {"status": str(one.status), "sentence": one.sentence} for one in found.findings}
        return {"ready": found.ready, "checks": told}

    def _leaky(self, leak: Callable[[str], str], place: Path) -> Path:
        """A student of a few steps, of whose training queries one is, or nearly is, a test query of the last task."""
        (asked, *_) = rankdistill.open(self.data / self.tasks[-1].lower(), lenient=True).queries("test").values()
        source = rankdistill.open(self.data / COLLECTION, lenient=True)
        judged = dict(itertools.islice(source.qrels("train").items(), LEAKY))
        queries = {query_id: source.queries("train")[query_id] for query_id in judged}
        queries[next(iter(judged))] = leak(asked)
        collection = written(place / "leaky", queries, judged, source)
        candidates = rankdistill.mine(collection, place / "candidates", split="train", depth=5)
        store = rankdistill.score(collection, {"kind": "embedding", "model": DENSE}, candidates, place / "store")
        made = rankdistill.train(
            collection, store, str(self.student), place / "student", steps=2, batch_size=4, negatives=1, check="off"
        )
        return Path(made.path)


def written(folder: Path, queries: Mapping[str, str], judged: Mapping[str, Mapping[str, int]], source: Dataset) -> Path:
    """A collection of these queries with what is judged for them and as many other documents, in BEIR layout."""
    wanted = dict.fromkeys(doc_id for found in judged.values() for doc_id in found)
    wanted |= dict.fromkeys(itertools.islice(source.contents, len(wanted)))
    documents = [json.dumps({"_id": doc_id, "title": "", "text": source.contents[doc_id]}) for doc_id in wanted]
    rows = [json.dumps({"_id": query_id, "text": text}) for query_id, text in queries.items()]
    labels = [f"{query_id}\t{doc_id}\t{label}" for query_id, row in judged.items() for doc_id, label in row.items()]
    (folder / "qrels").mkdir(parents=True, exist_ok=True)
    files.write_text(folder / "corpus.jsonl", "\n".join([*documents, ""]))
    files.write_text(folder / "queries.jsonl", "\n".join([*rows, ""]))
    files.write_text(folder / "qrels" / "train.tsv", "\n".join(["query-id\tcorpus-id\tscore", *labels, ""]))
    return folder


def evaluated(student: Path, data: Path, tasks: tuple[str, ...], out: Path) -> Path:
    """The results of a student on tasks of mteb."""
    command = f"rankdistill evaluate --tasks {','.join(tasks)} --data-root {data} --out ."
    rankdistill.evaluate(None, student, out, tasks=tasks, data_root=data, name=NAME, progress=True, command=command)
    return out


def trained(given: argparse.Namespace, prepared: PreparedSet) -> Path:
    """The student."""
    teacher = prepared.teacher("dense")
    settings = settings_of(OBJECTIVES[OBJECTIVE], teacher) | COMMON
    made = rankdistill.train(
        prepared.dataset,
        teacher.store,
        str(prepared.aligned),
        given.work / "publication" / "student",
        split="train",
        teacher=teacher.teacher_id,
        **settings,
        steps=given.steps,
        eval_steps=given.steps,
        batch_size=given.batch_size,
        negatives=1,
        learning_rate=given.rate,
        progress=True,
    )
    return Path(made.path)


def main() -> None:
    """Train, evaluate, publish, spoil; write benchmarks/results/publication.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, default=Path("runs/publication"))
    parser.add_argument(
        "--tasks", default="SciFact,NFCorpus", help="in folders of DATA of their names; faults go to the last"
    )
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--rate", type=float, default=1e-4)
    parser.add_argument("--align-steps", type=int, default=400)
    parser.add_argument("--queries", type=int, default=2000)
    parser.add_argument("--choice", type=int, default=200)
    given = parse(parser)
    prepared = PreparedSet(
        given.data / COLLECTION, given.work / COLLECTION, given.queries, given.choice, given.align_steps
    )
    prepared.prepare(["dense"])
    student, work, tasks = trained(given, prepared), given.work / "publication", tuple(given.tasks.split(","))
    results = evaluated(student, given.data, tasks, work / "results")
    lineage = (prepared.folder, given.data / COLLECTION)
    one = Publication(student, results, tasks, given.data, lineage, work)
    clean = one.published("clean")
    for check, told in clean["checks"].items():
        print(f"{check}: {told['status']}: {told['sentence']}", flush=True)
    faults = {}
    for called, fault in FAULTS.items():
        found = one.published(called, fault)["checks"][fault.check]
        faults[called] = {"check": fault.check, **found, "caught": found["status"] == "refuse"}
        print(f"{called}: {'caught' if faults[called]['caught'] else 'NOT CAUGHT'}: {found['sentence']}", flush=True)
    content = {"teacher": DENSE, "steps": given.steps, "tasks": [*tasks], "clean": clean, "faults": faults}
    print(write_results("publication", content, f"{COLLECTION}; {given.tasks}"))
    if not clean["ready"] or not all(fault["caught"] for fault in faults.values()):
        sys.exit(1)


if __name__ == "__main__":
    main()
