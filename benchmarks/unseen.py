"""Students on texts that are like none of those trained on: chosen by leaving collections out, tested on two others.

    python -m benchmarks.unseen --data DIR --work WORK [--steps 12000] [--limit 6000 --document-limit 1500]

all-MiniLM-L6-v2 embeds titles, sentences, documents and training queries of the collections in DIR that `SOURCES`
names, and of the documentation of installed packages; nothing of the two test collections, Cranfield and Vaswani.
Collections that are alike (`FOLDS`) are left out together, one group after another: each variant of a student is made
from the texts of the others, with the first seed, and judged on queries of those that were left out. The variant with
the largest mean retention is trained on all texts, once with each seed, and tested; so is the first variant on the
three collections of recipes/leaf.yaml (`before`). Retention is a student's nDCG@10 as a share of the teacher's, in
percent: its queries among the teacher's documents (asymmetric), or among its own (standard), with 95% bootstrap
intervals over queries and trainings. Interrupted, the same command goes on.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

import rankdistill
from benchmarks import seeds
from benchmarks.leaf_students import TEACHER
from benchmarks.provenance import parse, write_results
from rankdistill.verbs.data import pydocs

TESTS = ("cranfield", "vaswani")
BEFORE = ("scifact", "nfcorpus", "msmarco_mini")
"""What recipes/leaf.yaml embeds."""

SOURCES = (
    *BEFORE,
    *("trec_dl19_pool", "medquad", "squad_dev", "qed_nq", "topiocqa", "qrecc_dev2k", "canard_dev", "cast_pool", "adi"),
)
DOCUMENTATION = "pydocs"


@dataclass(frozen=True)
class Fold:
    """Collections that are left out together, since their texts are alike.

    Args:
        out: the collections.
        judges: the split that judges, of some of them.
    """

    out: Sequence[str]
    judges: Mapping[str, str]


FOLDS = {
    "medicine": Fold(("scifact", "nfcorpus", "medquad"), {"scifact": "train", "nfcorpus": "dev"}),
    "web": Fold(("msmarco_mini", "trec_dl19_pool"), {"msmarco_mini": "dev"}),
    "encyclopedia": Fold(
        ("squad_dev", "qed_nq", "topiocqa", "qrecc_dev2k", "canard_dev", "cast_pool"),
        {"squad_dev": "dev", "qed_nq": "dev"},
    ),
}


@dataclass(frozen=True)
class Kind:
    """A kind of student and the variants that are chosen among.

    Args:
        model: what it starts from; None: the teacher.
        variants: name -> how its preparation differs; the first is that of `before`.
        training: settings of every variant.
    """

    model: str | None
    variants: Mapping[str, Mapping[str, Any]]
    training: Mapping[str, Any]


LIST, RARE = "--word-list", 100_000
"""A variant with the former is left out where no list is given."""

KINDS = {
    "static": Kind(
        "static",
        {
            "20,000 words in 10 texts": {},
            "60,000 words in 3 texts": {"static": {"words": 60_000, "min_count": 3}},
            "rare words after the fit": {"static": {"rare_words": RARE}},
            "rare words, a word list": {"static": {"rare_words": RARE, "word_list": LIST}},
            "rare words, a word list, twice as long": {
                "static": {"rare_words": RARE, "word_list": LIST, "rare_weight": 3.0}
            },
        },
        # The closed form is the student: training a table brings it nearer to the texts it sees and to no others.
        {"steps": 10, "learning_rate": 1e-4},
    ),
    "layers": Kind(
        None,
        {"two layers": {"keep_layers": [0, 5]}},
        {"learning_rate": 5e-4, "final_share": 0.04, "cycles": 1, "max_document_length": 256},
    ),
}
CORNERS = ("asymmetric", "standard")
MEASURE, RESAMPLES = "ndcg_at_10", 2000


def main() -> None:
    """Embed, choose, train, test; write benchmarks/results/unseen.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=12_000, help="of the students with layers")
    parser.add_argument("--choice-steps", type=int, default=1000, help="of their trainings in the choice")
    parser.add_argument("--limit", type=int, default=6000, help="texts of one source at most, but for documents")
    parser.add_argument("--document-limit", type=int, default=1500, help="documents of one collection at most")
    parser.add_argument("--sources", type=_words, default=SOURCES, help="collections whose texts are embedded: A,B,...")
    parser.add_argument("--pages", type=int, default=10_000, help="of the documentation of packages; 0: none")
    parser.add_argument("--tests", type=_words, default=TESTS, help="collections that are tested on: A,B,...")
    parser.add_argument("--kinds", type=_words, default=tuple(KINDS), help="of students: A,B,...")
    parser.add_argument("--variants", nargs="+", help="names of those to choose among; unless given all")
    parser.add_argument("--word-list", type=Path, help="a file of words, one a line, of neither test collection")
    parser.add_argument("--teacher", default=TEACHER)
    seeds.add_argument(parser)
    bench = Unseen(parse(parser))
    choices: dict[str, Any] = {}
    systems: dict[str, list[Path]] = {}
    for kind in bench.given.kinds:
        variants = bench.variants(kind)
        choices[kind] = tried = {name: bench.left_out(kind, name) for name in variants}
        chosen, first = max(tried, key=lambda name: float(tried[name]["mean"])), next(iter(variants))
        print(f"{kind}: {chosen}, of { ({name: one['mean'] for name, one in tried.items()}) }", flush=True)
        beside = [source for source in bench.collections if source not in BEFORE]
        systems[f"{kind}, before"] = [bench.student(kind, first, seed, beside) for seed in bench.given.seeds]
        systems[kind] = [bench.student(kind, chosen, seed) for seed in bench.given.seeds]
        choices[kind]["chosen"] = chosen
    content = {
        "texts": bench.store.to_json()["sources"],
        "settings": {kind: {**KINDS[kind].training, **bench.steps(kind, False)} for kind in bench.given.kinds},
        "word_list": given_list(bench.given.word_list),
        "retention_left_out": choices,
        "tests": {data: bench.tested(data, systems) for data in bench.given.tests},
    }
    print(write_results("unseen", content, ", ".join(bench.given.tests)))


class Unseen:
    """The steps of the benchmark; each keeps its result in the folder of the work.

    Args:
        given: the arguments.
    """

    def __init__(self, given: argparse.Namespace) -> None:
        self.given = given
        self.collections: dict[str, Any] = {
            name: rankdistill.open(given.data / name, lenient=True) for name in given.sources
        }
        if given.pages:
            self.collections[DOCUMENTATION] = pydocs(given.work / DOCUMENTATION, limit=given.pages)
        self.store = rankdistill.embed(
            list(self.collections.values()),
            given.teacher,
            given.work / "embeddings",
            limit=given.limit,
            document_limit=given.document_limit,
            judged=[rankdistill.open(given.data / name, lenient=True) for name in given.tests],
            progress=True,
        )

    def variants(self, kind: str) -> dict[str, dict[str, Any]]:
        """The variants that can be made, with the word list in its place."""
        words, found = self.given.word_list, {}
        for name, preparation in KINDS[kind].variants.items():
            static = dict(preparation.get("static", {}))
            if static.get("word_list") == LIST:
                static["word_list"] = words and str(words)
            if self.given.variants and name not in self.given.variants:
                continue
            if words or static.get("word_list", LIST) is not None:
                found[name] = {**preparation, **({"static": static} if static else {})}
        return found

    def steps(self, kind: str, choosing: bool) -> dict[str, int]:
        """The steps of a training, where its kind does not say them."""
        if "steps" in KINDS[kind].training:
            return {}
        return {"steps": self.given.choice_steps if choosing else self.given.steps}

    def student(self, kind: str, variant: str, seed: int, without: Iterable[str] = (), choosing: bool = False) -> Path:
        """A student from the texts of all collections but those `without`; its folder."""
        left_out = sorted({*without} & {*self.collections})
        place = f"{_slug(variant)}-{'-'.join(left_out) or 'all'}-{'choice' if choosing else seed}"
        sources = self.store.to_polars()["source"].unique().to_list()
        weights = {source: 0.0 for source in sorted(sources) if source.split(":")[0] in left_out}
        print("training", kind, place, flush=True)
        settings = {**KINDS[kind].training, **self.steps(kind, choosing), "preparation": self.variants(kind)[variant]}
        made = rankdistill.train(
            None,
            self.store,
            KINDS[kind].model or self.given.teacher,
            self.given.work / "students" / kind / place,
            **settings,
            seed=seed,
            source_weights=weights,
            progress=True,
        )
        return Path(made.path)

    def left_out(self, kind: str, variant: str) -> dict[str, float]:
        """Collection -> the retention in percent, asymmetric, of students that were made without it; and the mean."""
        found: dict[str, float] = {}
        for fold in FOLDS.values():
            judges = {data: split for data, split in fold.judges.items() if data in self.collections}
            if not judges:
                continue
            student = self.student(kind, variant, self.given.seeds[0], fold.out, choosing=True)
            for data, split in judges.items():
                teacher = self.evaluated(data, split, None, "teacher")
                found[data] = retention([self.evaluated(data, split, student, "asymmetric")], teacher)["percent"]
        if not found:
            raise SystemExit(f"none of {', '.join(self.collections)} judges: see FOLDS")
        return found | {"mean": fmean(found.values())}

    def tested(self, data: str, systems: Mapping[str, Sequence[Path]]) -> dict[str, Any]:
        """Each student's retention on a test collection, and the measures with paired tests against the teacher."""
        folders = {
            (name, corner): [self.evaluation(data, "test", student, corner) for student in students]
            for name, students in systems.items()
            for corner in CORNERS
        }
        teacher = self.evaluation(data, "test", None, "teacher")
        shares = {
            name: {
                corner: retention([_per_query(one) for one in folders[name, corner]], _per_query(teacher))
                for corner in CORNERS
            }
            for name in systems
        }
        for name, corners in shares.items():
            print(data, name, corners, flush=True)
        trained = {
            f"{name}, {corner}": seeds.trained(f"{name}, {corner}", made) for (name, corner), made in folders.items()
        }
        return {"retention": shares} | seeds.compared({"teacher": teacher, **trained}, "teacher")

    def evaluated(self, data: str, split: str, student: Path | None, corner: str) -> np.ndarray:
        """nDCG@10 of each query, float[queries], ordered by query."""
        return _per_query(self.evaluation(data, split, student, corner))

    def evaluation(self, data: str, split: str, student: Path | None, corner: str) -> Path:
        """The folder of an evaluation: of the teacher (no student), or of a student at a corner of its triangle."""
        work = self.given.work if student is None else student.parent / f"{student.name}-evaluated"
        own = student is not None and corner == "standard"
        queries = str(student or self.given.teacher)
        documents = (work if own else self.given.work) / "indexes" / data
        source = self.given.data / data
        rankdistill.index(source, queries if own else self.given.teacher, documents, snippets=0, lenient=True)
        out = work / "evaluations" / f"{data}-{split}-{corner}"
        name = "teacher" if student is None else f"{student.parent.name} {student.name} {corner}"
        return Path(
            rankdistill.evaluate(source, queries, out, index=documents, split=split, name=name, lenient=True).path
        )


def retention(trainings: Sequence[np.ndarray], teacher: np.ndarray) -> dict[str, Any]:
    """The trainings' mean as a share of the teacher's, in percent, with its 95% bootstrap interval.

    Args:
        trainings: the measure of each query by each training of a student, float[queries] each.
        teacher: the same by the teacher; queries and trainings are drawn with replacement, the same queries for both.
    """
    own = np.stack(trainings)
    generator = np.random.default_rng(0)
    queries = generator.integers(len(teacher), size=(RESAMPLES, len(teacher)))
    drawn = generator.integers(len(own), size=(RESAMPLES, len(own)))
    means = np.stack([own[one][:, places].mean() for one, places in zip(drawn, queries, strict=True)])
    shares = 100 * means / teacher[queries].mean(axis=1)
    return {
        "percent": float(100 * own.mean() / teacher.mean()),
        "interval": [float(np.quantile(shares, edge)) for edge in (0.025, 0.975)],
        "by_training": [float(100 * one.mean() / teacher.mean()) for one in own],
    }


def given_list(path: Path | None) -> dict[str, Any] | None:
    """What a word list is known by."""
    if path is None:
        return None
    content = path.read_bytes()
    return {"words": len(content.split()), "sha256": hashlib.sha256(content).hexdigest()}


def _per_query(folder: Path) -> np.ndarray:
    table = rankdistill.open(folder).to_polars().sort("query_id")
    return np.asarray(table[MEASURE].to_numpy(), dtype=np.float64)


def _slug(variant: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in variant)


def _words(given: str) -> tuple[str, ...]:
    return tuple(word for word in given.split(",") if word)


if __name__ == "__main__":
    main()
