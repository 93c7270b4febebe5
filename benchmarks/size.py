"""Quality against size: students of at most so many megabytes, with layers and static, aligned to one teacher.

    python -m benchmarks.size --data DIR --work WORK [--sizes 40,20,10,5,2.5] [--epochs 3]

DIR holds the data sets. The teacher embeds texts of SciFact, NFCorpus and MS MARCO mini, without labels. For each size
the first seed chooses the shape on the dev splits of NFCorpus and MS MARCO mini (`--max-mb`); the other seeds train
that shape. The tests tell nDCG@10 with the student's queries in the teacher's documents, and with its own documents,
against the teacher; bytes are those of all files that a program needs. Interrupted, the same command goes on.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import rankdistill
from benchmarks import seeds
from benchmarks.leaf_students import TEACHER
from benchmarks.provenance import parse, write_results

TRAINED_ON = ("scifact", "nfcorpus", "msmarco_mini")
DEV = {"nfcorpus": "dev", "msmarco_mini": "dev"}
TESTS = {"scifact": "test", "nfcorpus": "test", "msmarco_mini": "dl19"}
KINDS: Mapping[str, Mapping[str, Any]] = {"dense": {"learning_rate": 5e-4}, "static": {}}
"""Kind of student -> how its training differs from `SETTINGS`."""

SETTINGS: Mapping[str, Any] = {
    "cycles": 1,
    "final_share": 0.04,
    "max_document_length": 256,
    "select": "last",
    "eval_steps": 1000,
}
SHAPE = ("layers", "width", "vocabulary", "storage", "coverage", "bytes")


def main() -> None:
    """Embed, train, evaluate, compare; write benchmarks/results/size.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="with a folder a data set")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--teacher", default=TEACHER)
    parser.add_argument("--student", default=TEACHER, help="that students with layers start from")
    parser.add_argument("--sizes", default="40,20,10,5,2.5", help="megabytes")
    parser.add_argument("--static-sizes", default="20,10,5,2.5,1")
    parser.add_argument("--texts", type=int, default=12000, help="of each kind of a collection")
    parser.add_argument("--epochs", type=float, default=3.0)
    parser.add_argument("--steps", type=int, help="instead of --epochs")
    seeds.add_argument(parser)
    given = parse(parser)
    sets = {name: rankdistill.open(given.data / name, lenient=True) for name in TRAINED_ON}
    store = rankdistill.embed([*sets.values()], given.teacher, given.work / "embeddings", limit=given.texts)
    students = [("dense", float(size)) for size in given.sizes.split(",")]
    students += [("static", float(size)) for size in given.static_sizes.split(",")]
    found, trained = {}, {}
    for kind, size in students:
        name = f"{kind} {size:g} MB"
        trained[name] = _trained(given, sets, store, kind, size)
        found[name] = _described(trained[name][0], size) | {"stored": [one.log["stored"] for one in trained[name]]}
        print(name, {part: found[name][part] for part in SHAPE}, flush=True)
    tests = {f"{data} {split}": _tested(given, sets[data], split, trained) for data, split in TESTS.items()}
    content = {"teacher": given.teacher, "settings": {**SETTINGS}, "kinds": KINDS, "students": found, "tests": tests}
    print(write_results("size", content, ", ".join(TRAINED_ON)))


def _trained(given: argparse.Namespace, sets: Mapping[str, Any], store: Any, kind: str, size: float) -> list[Any]:
    """A student a seed, of the shape that the first one chose."""
    start = "static" if kind == "static" else given.student
    lasting = {"steps": given.steps} if given.steps else {"epochs": given.epochs}
    done: list[Any] = []
    for seed in given.seeds:
        settings: dict[str, Any] = {**SETTINGS, **KINDS[kind], **lasting, "seed": seed}
        settings |= {"max_mb": size} if not done else {"preparation": _chosen(done[0])["settings"]}
        out = given.work / f"{kind}-{size:g}" / f"seed-{seed}" / "student"
        dev = [sets[name] for name in DEV]
        done.append(rankdistill.train(dev, store, start, out, dev_split=[*DEV.values()], **settings))
    return done


def _chosen(student: Any) -> dict[str, Any]:
    return next(row for row in student.log["sizes"] if row["chosen"])


def _described(student: Any, size: float) -> dict[str, Any]:
    chosen = _chosen(student)
    return {
        "max_mb": size,
        **{part: chosen[part] for part in SHAPE},
        "bytes": student.log["stored"]["bytes"],
        "shapes": student.log["sizes"],
    }


def _tested(
    given: argparse.Namespace, dataset: Any, split: str, trained: Mapping[str, Sequence[Any]]
) -> dict[str, Any]:
    """Every student against the teacher, in the teacher's documents and in its own."""
    name = dataset.name
    documents = rankdistill.index(dataset, given.teacher, given.work / f"index-{name}", snippets=0)
    teacher = given.work / f"evaluation-{name}-{split}"
    rankdistill.evaluate(dataset, documents, teacher, split=split, name="teacher")
    systems: dict[str, seeds.System] = {"teacher": teacher}
    for student, folders in trained.items():
        for way in ("asymmetric", "standard"):
            title = f"{student}, {way}"
            done = [_evaluated(one, dataset, split, documents, title, way) for one in folders]
            systems[title] = seeds.trained(title, done)
    return seeds.compared(systems, "teacher")


def _evaluated(student: Any, dataset: Any, split: str, documents: Any, title: str, way: str) -> Path:
    out = student.path.parent / f"evaluation-{dataset.name}-{split}-{way}"
    if way == "standard":
        documents = rankdistill.index(dataset, student, student.path.parent / f"index-{dataset.name}", snippets=0)
    rankdistill.evaluate(dataset, student, out, index=documents, split=split, name=title, latency=100)
    return out


if __name__ == "__main__":
    main()
