"""Our students beside those of other libraries: one teacher (all-MiniLM-L6-v2), the same texts, one run.

    python -m benchmarks.student_peers --data DIR --work WORK [--venvs VENVS] [--sets scifact,nfcorpus] [--only static]

Peers are programs of `benchmarks/student_programs`, each run by this Python with the folder VENVS/NAME on its path;
those whose folder is not there are left out. They are made by

    python -m pip install --target VENVS/model2vec --no-deps "model2vec==0.10.0" "skeletoken<0.7"
    python -m pip install --target VENVS/tokenlearn --no-deps "tokenlearn==0.2.1" "model2vec==0.10.0" "skeletoken<0.7"
    python -m pip install --target VENVS/pynife --no-deps "pynife==0.1.0" "skeletoken<0.5"

Two groups. Static students: model2vec's `distill` with its defaults and with the teacher's dimension, tokenlearn,
pynife, ours. Two layers of the teacher: sentence-transformers' MarginMSELoss, DistillKLDivLoss and EmbedDistillLoss,
and ours: the same losses, margins of the whole batch, and those from an aligned student. All transformers have the same
steps, batch, lengths and start. What has a learning rate is trained with each of `--rates`; the best on `choice`,
training queries that nobody trains on, is reported on the test split; with each seed, but for what draws nothing.

Each student is a folder of `--work` that is not made again. Told are nDCG@10 (its own vectors on both sides), minutes
of making it, the median time of a query alone, and the bytes of its folder; the tests against ours are paired and
Holm-corrected.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

import rankdistill
from benchmarks import seeds
from benchmarks.apart import CHOICE
from benchmarks.provenance import parse, write_results
from benchmarks.student_sets import ALIGNMENT, DENSE, DOCUMENT_TOKENS, MEASURE, QUERY_TOKENS, PreparedSet, emptied
from rankdistill import files, models

PROGRAMS = Path(__file__).parent / "student_programs"
STATIC, LAYERS = "static", "two layers"
NEGATIVES, TEMPERATURE = 4, 0.05
FAST_STATIC = {"learning_rate": 1e-3, "cycles": 1, "select": "last", "held_out": 200}


@dataclass(frozen=True)
class Maker:
    """How a student is made.

    Args:
        group: those that it is compared with.
        program: of another library; "": ours.
        settings: of the program, or of the verb `train`.
        on: what ours learns from: `texts` (vectors), `rows` (scores), or `aligned`, rows from an aligned student.
        library: the folder under `--venvs`; "": what is installed here will do.
        has_rate: whether it takes a learning rate.
        drawn: whether a seed makes a difference.
    """

    group: str
    program: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    on: str = "texts"
    library: str = ""
    has_rate: bool = False
    drawn: bool = True


OURS: Mapping[str, str] = {STATIC: "ours: static", LAYERS: "ours: aligned, then margins in batch"}
"""Group -> the student that the others are tested against."""

SCORES = {"sampling": "uniform", "check": "warn", "negatives": NEGATIVES}
LOGIT = {"student_temperature": TEMPERATURE, "teacher_temperature": TEMPERATURE}
MAKERS: Mapping[str, Maker] = {
    "model2vec distill": Maker(STATIC, "with_model2vec", library="model2vec", drawn=False),
    "model2vec distill, 384": Maker(STATIC, "with_model2vec", {"dimensions": 384}, library="model2vec", drawn=False),
    "tokenlearn": Maker(STATIC, "with_tokenlearn", library="tokenlearn"),
    "pynife": Maker(STATIC, "with_pynife", library="pynife"),
    "ours: static": Maker(STATIC, "", FAST_STATIC | {"steps": 10}, drawn=False),
    "EmbedDistillLoss": Maker(LAYERS, "with_sentence_transformers", {"loss": "embed"}, has_rate=True),
    "MarginMSELoss": Maker(LAYERS, "with_sentence_transformers", {"loss": "margin_mse"}, has_rate=True),
    "DistillKLDivLoss": Maker(LAYERS, "with_sentence_transformers", {"loss": "kl"}, has_rate=True),
    "ours: leaf": Maker(LAYERS, "", ALIGNMENT, has_rate=True),
    "ours: margin-mse": Maker(LAYERS, "", SCORES | {"loss": "margin_mse"}, "rows", has_rate=True),
    "ours: kl": Maker(LAYERS, "", SCORES | LOGIT | {"loss": "kl_div"}, "rows", has_rate=True),
    "ours: margins in batch": Maker(LAYERS, "", SCORES | {"loss": "margin_mse"}, "batch", has_rate=True),
    "ours: aligned, then margins in batch": Maker(
        LAYERS, "", SCORES | {"loss": "margin_mse"}, "aligned", has_rate=True
    ),
}


class Students:
    """The students of one collection.

    Args:
        prepared: the collection.
        given: the arguments.
    """

    def __init__(self, prepared: PreparedSet, given: argparse.Namespace) -> None:
        self.prepared, self.given = prepared, given
        self.teacher = str(models.resolve(DENSE).path)
        self._texts: Any = None

    @property
    def vectors(self) -> Any:
        """The teacher's vectors of the texts that all students of texts learn from."""
        if self._texts is None:
            self._texts = rankdistill.embed(
                self.prepared.dataset,
                {"kind": "embedding", "model": DENSE, "max_length": DOCUMENT_TOKENS},
                self.prepared.folder / f"texts-{self.given.texts}",
                limit=self.given.texts,
                progress=True,
            )
        return self._texts

    def names(self) -> list[str]:
        """The students that were asked for and can be made here."""
        found, missing = [], set()
        for name, maker in MAKERS.items():
            if self.given.only and not any(part in (maker.group, name) or part in name for part in self.given.only):
                continue
            if maker.library and not (self.given.venvs and (self.given.venvs / maker.library).is_dir()):
                missing.add(maker.library)
                continue
            found.append(name)
        if missing:
            print(f"left out, as {self.given.venvs} has no folder of these: {', '.join(sorted(missing))}", flush=True)
        return found

    def measured(self, name: str) -> list[Path]:
        """The folders of a student's trainings, made and evaluated with the best rate."""
        maker, (first, *others) = MAKERS[name], self.given.seeds
        rates: Sequence[float | None] = self.given.rates if maker.has_rate else [None]
        tried = {rate: self._made(name, rate, first) for rate in rates}
        best = max(tried, key=lambda rate: _value(tried[rate] / CHOICE))
        again = others if maker.drawn else []
        return [tried[best], *(self._made(name, best, seed) for seed in again)]

    def _made(self, name: str, rate: float | None, seed: int) -> Path:
        """The folder of one training, with its evaluations on `choice` and on the test split."""
        folder = self.prepared.folder / "students" / _slug(f"{name} {rate or ''} {seed} {self._asked(MAKERS[name])}")
        if not (folder / "costs.json").is_file():
            student, seconds = self._make(MAKERS[name], folder, rate, seed)
            index = rankdistill.index(self.prepared.dataset, str(student), folder / "index", snippets=0)
            for split, timed in ((CHOICE, 0), ("test", self.given.timed)):
                rankdistill.evaluate(
                    self.prepared.dataset,
                    str(student),
                    folder / split,
                    index=index,
                    split=split,
                    latency=timed,
                    name=name,
                )
            emptied(folder / "index")
            costs = {"minutes": seconds / 60, "bytes": _bytes(student), "rate": rate}
            files.write_text(folder / "costs.json", json.dumps(costs, indent=1) + "\n")
            print(self.prepared.folder.name, folder.name, f"{_value(folder / 'test'):.4f}", costs, flush=True)
        return folder

    def _asked(self, maker: Maker) -> str:
        """What of the arguments makes it another student."""
        asked = [self.given.steps]
        asked += [self.given.batch_size] if maker.group == LAYERS else []
        asked += [self.prepared.align_steps] if maker.on == "aligned" else []
        return " ".join(map(str, asked))

    def _make(self, maker: Maker, folder: Path, rate: float | None, seed: int) -> tuple[Path, float]:
        """The student, and the seconds of making it; the teacher's vectors and scores are there already."""
        made, out = self.prepared, folder / "student"
        if maker.program:
            return out, self._run(maker, out, rate, seed)
        steps = self.given.steps
        settings: dict[str, Any] = {"seed": seed, "steps": steps, **maker.settings}
        settings |= {"learning_rate": rate} if rate is not None else {}
        settings["eval_steps"] = settings["steps"]
        settings["log_steps"] = 10 if settings["steps"] % 10 == 0 else 1
        if maker.group == LAYERS:
            lengths = {"max_query_length": QUERY_TOKENS, "max_document_length": DOCUMENT_TOKENS}
            settings |= {"batch_size": self.given.batch_size, **lengths}
        if maker.on == "texts":
            start = "static" if maker.group == STATIC else str(made.cut)
            started = time.perf_counter()
            rankdistill.train(None, self.vectors, start, out, **settings)
            return out, time.perf_counter() - started
        if maker.on in ("batch", "aligned"):
            settings["in_batch_teacher"] = str(made.vectors.path)
        start, store = str(made.aligned if maker.on == "aligned" else made.cut), made.dense_store
        if maker.on == "aligned":
            settings |= {"steps": steps - made.align_steps, "eval_steps": steps - made.align_steps, "log_steps": 1}
        started = time.perf_counter()
        rankdistill.train(made.dataset, store, start, out, split="train", **settings)
        return out, time.perf_counter() - started + (self._aligning() if maker.on == "aligned" else 0.0)

    def _aligning(self) -> float:
        """Seconds of the alignment that a student starts from, as it was measured when it was made."""
        return float(json.loads((self.prepared.folder / "starts" / "seconds.json").read_text())["aligned"])

    def _run(self, maker: Maker, out: Path, rate: float | None, seed: int) -> float:
        """Run the program of another library; the seconds that it measured."""
        emptied(out)
        out.mkdir(parents=True)
        said = {
            "teacher": self.teacher,
            "start": str(self.prepared.cut),
            "texts": str(self._texts_file()),
            "rows": str(self._rows_file()),
            "out": str(out),
            "steps": self.given.steps,
            "batch_size": self.given.batch_size,
            "max_length": DOCUMENT_TOKENS,
            "temperature": TEMPERATURE,
            "rate": rate,
            "seed": seed,
            **maker.settings,
        }
        file = out.parent / "asked.json"
        files.write_text(file, json.dumps(said, indent=1) + "\n")
        library = [str(self.given.venvs / maker.library)] if maker.library else []
        path = os.pathsep.join([*library, str(PROGRAMS), os.environ.get("PYTHONPATH", "")])
        done = subprocess.run(
            [sys.executable, str(PROGRAMS / f"{maker.program}.py"), str(file.absolute())],
            env={**os.environ, "PYTHONPATH": path, "HF_HUB_OFFLINE": "1", "WANDB_MODE": "disabled"},
            check=False,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise SystemExit(f"{maker.program} failed:\n{done.stderr[-3000:]}")
        return float(json.loads((out / "seconds.json").read_text())["seconds"])

    def _texts_file(self) -> Path:
        """The store's texts with their vectors."""
        file = self.prepared.folder / f"texts-{self.given.texts}.parquet"
        if not file.is_file():
            vectors = pa.array(list(self.vectors.vectors().astype("float32")), type=pa.list_(pa.float32()))
            table = pa.table({"text": self.vectors.texts()["text"], "vector": vectors})
            with files.atomic_path(file) as temporary:
                pq.write_table(table, temporary)
        return file.absolute()

    def _rows_file(self) -> Path:
        """Rows of a query, a positive and negatives with the teacher's scores."""
        file = self.prepared.folder / "rows.parquet"
        if not file.is_file():
            rankdistill.export(
                self.prepared.dense_store, file, format="sentence-transformers", negatives=NEGATIVES, order="random"
            )
        return file.absolute()


def main() -> None:
    """Make, measure and compare; write benchmarks/results/student_peers.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, default=Path("runs/student_peers"))
    parser.add_argument("--venvs", type=Path, help="a folder for each library that is not installed here")
    parser.add_argument("--sets", type=_words, default=["scifact", "nfcorpus"])
    parser.add_argument("--only", type=_words, help="a group, or parts of names")
    parser.add_argument("--steps", type=int, default=800, help="of each transformer, alignment included")
    parser.add_argument("--align-steps", type=int, default=400)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--rates", type=_numbers, default=[1e-4, 5e-4])
    parser.add_argument("--texts", type=int, default=6000, help="of each source, for students of texts")
    parser.add_argument("--queries", type=int, default=2000)
    parser.add_argument("--choice", type=int, default=200)
    parser.add_argument("--timed", type=int, default=100, help="queries timed one by one")
    seeds.add_argument(parser)
    given = parse(parser)
    found: dict[str, Any] = {}
    for name in given.sets:
        prepared = PreparedSet(given.data / name, given.work / name, given.queries, given.choice, given.align_steps)
        students = Students(prepared, given)
        measured = {student: students.measured(student) for student in students.names()}
        found[name] = {"students": [_row(student, folders) for student, folders in measured.items()]}
        for row in found[name]["students"]:
            print(name, json.dumps(row), flush=True)
        for group, ours in OURS.items():
            systems = {
                student: seeds.trained(student, [folder / "test" for folder in folders])
                for student, folders in measured.items()
                if MAKERS[student].group == group
            }
            if ours in systems and len(systems) > 1:
                found[name][group] = seeds.compared(systems, ours)
    asked = {key: getattr(given, key) for key in ("steps", "align_steps", "batch_size", "rates", "texts", "queries")}
    print(write_results("student_peers", {"asked": asked, "seeds": list(given.seeds), "sets": found}, given.data.name))


def _row(name: str, folders: Sequence[Path]) -> dict[str, Any]:
    """What a student costs and reaches, over its trainings."""
    costs = [json.loads((folder / "costs.json").read_text()) for folder in folders]
    results = [json.loads((folder / "test" / "results.json").read_text()) for folder in folders]
    latency = [one["system"]["latency_ms"]["p50"] for one in results if one["system"]["latency_ms"]]
    return {
        "student": name,
        "group": MAKERS[name].group,
        "trainings": len(folders),
        MEASURE: round(sum(one[MEASURE] for one in results) / len(results), 4),
        "rate": costs[0]["rate"],
        "minutes": round(sum(one["minutes"] for one in costs) / len(costs), 2),
        "ms_per_query": round(min(latency), 3) if latency else None,
        "megabytes": round(costs[0]["bytes"] / 1e6, 1),
    }


def _value(folder: Path) -> float:
    return float(json.loads((folder / "results.json").read_text())[MEASURE])


def _bytes(model: Path) -> int:
    """Of the files that a user of the model needs."""
    ours = {"seconds.json", "manifest.json", "training_log.json", "README.md"}
    return sum(file.stat().st_size for file in model.rglob("*") if file.is_file() and file.name not in ours)


def _slug(name: str) -> str:
    return "-".join("".join(sign if sign.isalnum() or sign == "." else " " for sign in name.lower()).split())


def _words(words: str) -> list[str]:
    return [word.strip() for word in words.split(",")]


def _numbers(words: str) -> list[float]:
    return [float(word) for word in words.split(",")]


if __name__ == "__main__":
    main()
