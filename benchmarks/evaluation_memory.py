"""Peak memory of evaluating a static model on a collection of many short documents.

    python -m benchmarks.evaluation_memory --documents 1000000 --work WORK

The collection and the model are made here: documents of some dozen made-up words, queries that are the beginning of a
document, and a table of random vectors over a vocabulary of its own, which costs nothing to run, so that what takes
memory is evaluation itself: texts, vectors, run and measures. Each size runs in a process of its own; the limit is
`--most` GiB of resident memory. Texts are read from disk a line at a time and encoded a block at a time, straight
into the index.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.provenance import parse, write_results

QUERIES = 200
VOCABULARY = 30_000
WORDS = (12, 40)
"""Of a document, at least and at most."""


def main() -> None:
    """Measure each size in a child process; ends with 1 where one takes more than it may."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, nargs="+", default=[50_000, 1_000_000])
    parser.add_argument("--dimension", type=int, default=384)
    parser.add_argument("--most", type=float, default=4.0, help="GiB that may be resident")
    parser.add_argument("--work", type=Path, default=Path("runs/evaluation_memory"))
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    given = parse(parser)
    if given.child:
        print(json.dumps(_measure(given.child, given.dimension, given.work)))
        return
    rows = []
    for documents in given.documents:
        make_collection(given.work / f"documents-{documents}", documents)
        make_model(given.work / f"model-{given.dimension}", given.dimension)
        words = ["--dimension", str(given.dimension), "--work", str(given.work), "--child", str(documents)]
        command = [sys.executable, "-m", "benchmarks.evaluation_memory", *words]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        rows.append(json.loads(done.stdout.splitlines()[-1]))
        print(rows[-1], flush=True)
    print(write_results("evaluation_memory", {"rows": rows, "most_gib": given.most}, "synthetic"))
    if over := [row for row in rows if row["peak_mib"] > 1024 * given.most]:
        raise SystemExit(f"more than {given.most:g} GiB: {over}")


def _measure(documents: int, dimension: int, work: Path) -> dict[str, Any]:
    import rankdistill

    out = work / f"out-{documents}"
    shutil.rmtree(out, ignore_errors=True)
    before, started = _peak(), time.perf_counter()
    found = rankdistill.evaluate(work / f"documents-{documents}", work / f"model-{dimension}", out, backend="torch")
    seconds = time.perf_counter() - started
    return {
        "documents": documents,
        "dimension": dimension,
        "vectors_mib": round(4 * documents * dimension / 2**20, 1),
        "before_mib": before,
        "peak_mib": _peak(),
        "seconds": round(seconds, 1),
        "recall_at_100": round(found.system.measures["recall_at_100"], 4),
    }


def _peak() -> float:
    """MiB, of this program alone: what getrusage tells begins at the size of the process that started it."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return round(int(line.split()[1]) / 1024, 1)
    raise SystemExit("expected /proc/self/status with VmHWM, as Linux has it; nothing was measured")


def make_collection(folder: Path, documents: int) -> Path:
    """A BEIR folder with so many documents, written a line at a time; one that is there is left as it is."""
    done = folder / "qrels" / "test.tsv"
    if done.is_file():
        return folder
    done.parent.mkdir(parents=True, exist_ok=True)
    every = max(1, documents // QUERIES)
    asked = []
    with (folder / "corpus.jsonl").open("w", encoding="utf-8") as corpus:
        for number, text in enumerate(_texts(documents)):
            corpus.write(json.dumps({"_id": f"d{number}", "title": "", "text": text}) + "\n")
            if number % every == 0 and len(asked) < QUERIES:
                asked.append((f"q{number}", " ".join(text.split()[:8]), f"d{number}"))
    rows = [json.dumps({"_id": query_id, "text": text}) + "\n" for query_id, text, _ in asked]
    (folder / "queries.jsonl").write_text("".join(rows), encoding="utf-8")
    lines = [f"{query_id}\t{doc_id}\t1" for query_id, _, doc_id in asked]
    done.write_text("\n".join(["query-id\tcorpus-id\tscore", *lines]) + "\n", encoding="utf-8")
    return folder


def _texts(documents: int) -> Iterator[str]:
    drawn = random.Random(7)
    for _ in range(documents):
        yield " ".join(f"w{drawn.randrange(VOCABULARY)}" for _ in range(drawn.randint(*WORDS)))


def make_model(folder: Path, dimension: int) -> Path:
    """A static model of random vectors, one for each of the collection's words."""
    if (folder / "modules.json").is_file():
        return folder
    import numpy as np
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace

    words = {word: place for place, word in enumerate(["[UNK]", *(f"w{number}" for number in range(VOCABULARY))])}
    tokenizer = Tokenizer(WordLevel(words, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    vectors = np.random.default_rng(7).standard_normal((len(words), dimension)).astype(np.float32)
    module = StaticEmbedding(tokenizer, embedding_weights=vectors)
    SentenceTransformer(modules=[module], device="cpu").save_pretrained(str(folder), create_model_card=False)
    return folder


if __name__ == "__main__":
    main()
