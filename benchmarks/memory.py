"""Peak memory of the verbs that read a collection or a score store, as these grow.

    python -m benchmarks.memory [--documents 20000,100000] [--scores 200000,1000000] [--only index-exact,train]

Documents, queries and scores are made up; models are tables of 64 numbers a word, of a weight a word, or one small
layer with 32 numbers a token; teachers cost nothing, so that what grows is what the verbs hold. Each verb runs at each
size in a process of its own, which a second one watches:

- `peak_mib`: the largest resident memory, with the pages of files that the process had mapped and that the system
  takes back where it needs room;
- `own_mib`: the largest memory of its own, which nobody can take back.

Both begin with what Python and the verb's libraries take (of `none`, the first row, the least). Between the sizes the
growth is divided by the documents, or scores, that came on top: bytes a document, bytes a score.

What is measured is kept in `--work`, a file a verb and size: the same command goes on where it was interrupted, and
`--again` measures anew. A verb that takes longer than `--minutes`, that would need more disk than is free, or that
fails is told and skipped. Results go to `benchmarks/results/memory.json`, or `memory_scores.json` where `--only` names
verbs on scores alone.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

import numpy as np

from benchmarks.provenance import parse, write_results

WORDS, LENGTH, DIMENSION = 30_000, 60, 64
"""Of the language, of a document, of a vector."""

QUERIES = 1_000
"""Of a collection that grows in documents."""

FEW, FEW_QUERIES = "few", 20
"""A split of the first of them, for searches that compare each query with each token."""

STORE_DOCUMENTS, DEPTH = 100_000, 200
"""Of the collection that scores are of; candidates a query, so that a store grows in queries."""

DISK_BYTES = {"documents": 4_000, "scores": 400}
"""A document, or a score, that a verb may need at most while it runs; what it needs less is not looked at."""

POLL = 0.02
"""Seconds between two looks at a process."""

NONE, MODEL = "none", "model"
"""What a process runs that measures no verb: nothing; making the models, in its folder and beside it."""

SPARSE, MULTI_VECTOR, TOKEN_DIMENSION = "model-sparse", "model-multi-vector", 32
"""Folders of the other models; length of a token's vector."""

Unit = Literal["documents", "scores"]


@dataclass(frozen=True)
class Cell:
    """A verb that is measured.

    Args:
        unit: what grows.
        run: (folder of the size) -> None; calls the verb.
        needs: the cells that must have run before it, at the same size.
        out: what it writes in that folder, where that is not called as the verb; removed before.
    """

    unit: Unit
    run: Callable[[Path], object]
    needs: Sequence[str] = ()
    out: str = ""


class ChecksumTeacher:
    """Scores pairs at no cost: a number from 0 to 1 that the texts decide."""

    teacher_id, fingerprint, score_kind = "checksum-0", {"name": "checksum"}, "logit"

    def score(self, pairs: Sequence[tuple[str, str]], progress: Callable[[int], None] | None = None) -> np.ndarray:
        """float32 `[n]`."""
        import zlib

        found = [zlib.crc32(f"{query}\0{document[:40]}".encode()) / 2**32 for query, document in pairs]
        if progress is not None:
            progress(len(pairs))
        return np.array(found, np.float32)


def _verbs() -> Any:
    import rankdistill

    return rankdistill


def _index(name: str, factory: str) -> Callable[[Path], object]:
    def run(at: Path) -> object:
        model = None if factory == "bm25" else at / "model"
        return _verbs().index(at / "data", model, at / name, factory=factory)

    return run


def _mine(name: str, source: str) -> Callable[[Path], object]:
    return lambda at: _verbs().mine(at / "data", at / name, [source.replace("MODEL", str(at / "model"))], depth=50)


def _evaluate(
    name: str, system: Callable[[Path], Any], factory: str = "exact", split: str = "train"
) -> Callable[[Path], object]:
    return lambda at: _verbs().evaluate(at / "data", system(at), at / name, split=split, factory=factory)


def _measure_towers(name: str, verb: str, **settings: Any) -> Callable[[Path], object]:
    """A verb that compares a student with its teacher: here one and the same model."""
    return lambda at: getattr(import_module(f"rankdistill.verbs.{verb}"), verb)(
        at / "data", at / "model", at / "model", at / name, split="train", **settings
    )


def _queries(at: Path) -> object:
    return _verbs().queries(at / "data", at / "queries", "spans", per_document=1, limit_documents=1_000, round_trip=5)


def _check_data(at: Path) -> object:
    from rankdistill.data import load

    return load(at / "data").counts()


def _ensemble(at: Path) -> object:
    from rankdistill.verbs.ensemble import ensemble

    return ensemble(at / "store", ["checksum-0"], at / "ensemble")


def _train(at: Path) -> object:
    settings = {"loss": "kl_div", "negatives": 6, "batch_size": 16, "steps": 20, "check": "warn"}
    return _verbs().train(at / "data", at / "store", at / "model", at / "student", split="train", **settings)


def _search(index: str) -> Callable[[Path], object]:
    return lambda at: _verbs().search(at / index, ["w1 w2 w3", "w100 w200"], k=10)


CELLS: Mapping[str, Cell] = {
    "read-data": Cell("documents", _check_data),
    "index-exact": Cell("documents", _index("index-exact", "exact")),
    "index-hnsw": Cell("documents", _index("index-hnsw", "HNSW32")),
    "index-bm25": Cell("documents", _index("index-bm25", "bm25")),
    "search-exact": Cell("documents", _search("index-exact"), ["index-exact"]),
    "search-bm25": Cell("documents", _search("index-bm25"), ["index-bm25"]),
    "evaluate-model": Cell("documents", _evaluate("evaluate-model", lambda at: at / "model")),
    "evaluate-sparse": Cell("documents", _evaluate("evaluate-sparse", lambda at: at / SPARSE)),
    "evaluate-seismic": Cell("documents", _evaluate("evaluate-seismic", lambda at: at / SPARSE, factory="seismic")),
    "evaluate-multi-vector": Cell(
        "documents", _evaluate("evaluate-multi-vector", lambda at: at / MULTI_VECTOR, split=FEW)
    ),
    "ann-recall": Cell("documents", _measure_towers("ann-recall", "ann_recall", repeats=0)),
    "robustness": Cell("documents", _measure_towers("robustness", "robustness", draws=1)),
    "queries": Cell("documents", _queries),
    "evaluate-bm25": Cell("documents", _evaluate("evaluate-bm25", lambda at: "bm25")),
    "evaluate-index": Cell("documents", _evaluate("evaluate-index", lambda at: at / "index-exact"), ["index-exact"]),
    "mine-bm25": Cell("documents", _mine("mine-bm25", "bm25")),
    "mine-dense": Cell("documents", _mine("mine-dense", "dense:MODEL")),
    "embed": Cell(
        "documents",
        lambda at: _verbs().embed(at / "data", at / "model", at / "embed", titles=False, sentences=False),
    ),
    "plan": Cell("scores", lambda at: _verbs().plan(at / "data", ChecksumTeacher(), at / "candidates", at / "store")),
    "score": Cell(
        "scores",
        lambda at: _verbs().score(at / "data", ChecksumTeacher(), at / "candidates", at / "store"),
        out="store",
    ),
    "status": Cell("scores", lambda at: _verbs().status(at / "store").to_json(), ["score"]),
    "check": Cell("scores", lambda at: _verbs().check(at / "store"), ["score"]),
    "ensemble": Cell("scores", _ensemble, ["score"]),
    "export": Cell(
        "scores", lambda at: _verbs().export(at / "store", at / "exported", format="hofstatter"), ["score"], "exported"
    ),
    "train": Cell("scores", _train, ["score"], "student"),
}
"""Name -> what is measured. Add a verb here."""


def main(words: Sequence[str] | None = None) -> None:
    """Measure each verb at each size, print a line each and a table at the end."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", default="20000,100000", help="sizes of the collection")
    parser.add_argument("--scores", default="200000,1000000", help="sizes of the store")
    parser.add_argument("--only", default=",".join(CELLS), help="some of: %(default)s")
    parser.add_argument("--work", type=Path, default=Path("runs/memory"))
    parser.add_argument("--minutes", type=float, default=120.0, help="that one verb at one size may take")
    parser.add_argument("--again", action="store_true", help="measure what was measured already")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    given = parse(parser, words)
    if given.child:
        _child(given.child, given.work)
        return
    sizes = {"documents": _sizes(given.documents), "scores": _sizes(given.scores)}
    chosen = given.only.split(",")
    if unknown := sorted(set(chosen) - set(CELLS)):
        parser.error(f"--only: {', '.join(unknown)}; there are {', '.join(CELLS)}")
    found = [_measured(given, NONE, 0)]
    for unit, of_unit in sizes.items():
        for size in of_unit:
            found += [_measured(given, name, size) for name in CELLS if name in chosen and CELLS[name].unit == unit]
    rows = list(_table(found, [name for name in CELLS if name in chosen]))
    print("\n".join(_lines(rows)))
    measured = {CELLS[name].unit for name in chosen}
    name = "memory_scores" if measured == {"scores"} else "memory"
    print(write_results(name, {unit: sizes[unit] for unit in sizes if unit in measured} | {"verbs": rows}))


def _sizes(text: str) -> list[int]:
    return sorted(int(one) for one in text.split(",") if one)


def _measured(given: argparse.Namespace, name: str, size: int) -> dict[str, Any]:
    """What a verb took at a size: measured now, or before."""
    kept = given.work / "cells" / f"{name}-{size}.json"
    if kept.is_file() and not given.again:
        row: dict[str, Any] = json.loads(kept.read_text())
        print(f"{_told(row)} (measured before)", flush=True)
        return row
    row = {"verb": name, "size": size} | _measure(given, name, size)
    if "skipped" not in row:
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps(row) + "\n")
    print(_told(row), flush=True)
    return row


def _told(row: Mapping[str, Any]) -> str:
    if "skipped" in row:
        return f"{row['verb']} at {row['size']:,}: skipped: {row['skipped']}"
    return (
        f"{row['verb']} at {row['size']:,}: peak {row['peak_mib']:,.0f} MiB, {row['own_mib']:,.0f} of its own, "
        f"{row['seconds']:,.0f} s"
    )


def _measure(given: argparse.Namespace, name: str, size: int) -> dict[str, Any]:
    folder = given.work / NONE
    if name != NONE:
        cell = CELLS[name]
        folder = given.work / f"{cell.unit}-{size}"
        missing = [one for one in cell.needs if not (given.work / "cells" / f"{one}-{size}.json").is_file()]
        if missing:
            return {"skipped": f"needs {', '.join(missing)} at this size, which was not measured"}
        free, most = shutil.disk_usage(given.work.parent).free, DISK_BYTES[cell.unit] * size
        if free < most:
            return {"skipped": f"may need {most / 1e9:,.1f} GB of disk, and {free / 1e9:,.1f} are free"}
        _make(cell.unit, size, folder)
        shutil.rmtree(folder / (cell.out or name), ignore_errors=True)
    command = [sys.executable, "-m", "benchmarks.memory", "--child", name, "--work", str(folder)]
    return _watched(command, given.minutes * 60)


def _watched(command: Sequence[str], most_seconds: float) -> dict[str, Any]:
    """Run a process; its peaks, or why there are none."""
    started, own, peak = time.monotonic(), 0, 0
    with (
        tempfile.TemporaryFile("w+") as stream,
        subprocess.Popen(command, stdout=stream, stderr=subprocess.STDOUT) as process,
    ):
        while process.poll() is None:
            now = _memory(process.pid)
            own, peak = max(own, now.get("RssAnon", 0)), max(peak, now.get("VmHWM", 0))
            if time.monotonic() - started > most_seconds:
                process.kill()
                return {"skipped": f"took longer than {most_seconds / 60:g} minutes"}
            time.sleep(POLL)
        stream.seek(0)
        said = stream.read()
    if process.returncode:
        return {"skipped": f"ended with {process.returncode}: {said.strip().splitlines()[-1:]}"}
    told = json.loads(said.splitlines()[-1])
    return {
        "peak_mib": round(max(peak, told["peak_kib"]) / 1024, 1),
        "own_mib": round(own / 1024, 1),
        "seconds": round(time.monotonic() - started, 1),
    }


def _memory(process: int) -> dict[str, int]:
    """KiB by name, as Linux tells them of a process; nothing once it has ended."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return {}
    return {line.split(":")[0]: int(line.split()[1]) for line in lines if line.startswith(("RssAnon", "VmHWM"))}


def _child(name: str, folder: Path) -> None:
    """Run one verb, or load what all of them load."""
    import resource

    _verbs()
    if name == MODEL:
        _write_models(folder)
    elif name != NONE:
        CELLS[name].run(folder)
    print(json.dumps({"peak_kib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}))


def _table(found: Sequence[Mapping[str, Any]], names: Sequence[str]) -> Iterator[dict[str, Any]]:
    """A verb a row: its peaks by size, and the growth a document or score between the smallest and the largest."""
    for name in [NONE, *names]:
        rows = [row for row in found if row["verb"] == name]
        measured = sorted((row for row in rows if "skipped" not in row), key=lambda row: row["size"])
        told: dict[str, Any] = {"verb": name, "sizes": rows}
        if name != NONE:
            told["unit"] = CELLS[name].unit
        if len(measured) > 1:
            first, last = measured[0], measured[-1]
            added = last["size"] - first["size"]
            for key in ("peak_mib", "own_mib"):
                told[f"bytes_each_{key.removesuffix('_mib')}"] = round((last[key] - first[key]) * 2**20 / added, 1)
        yield told


def _lines(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for row in rows:
        sizes = "; ".join(
            f"{one['size']:,}: {one['skipped']}"
            if "skipped" in one
            else f"{one['size']:,}: {one['peak_mib']:,.0f} MiB ({one['own_mib']:,.0f} own)"
            for one in row["sizes"]
        )
        grows = ""
        if "bytes_each_own" in row:
            each = f"bytes a {row['unit'].removesuffix('s')}"
            grows = f"; {row['bytes_each_peak']:,.0f} {each}, {row['bytes_each_own']:,.0f} of them own"
        yield f"{row['verb']}: {sizes}{grows}"


def _make(unit: Unit, size: int, folder: Path) -> None:
    """The collection, model and, for scores, candidates of one size; in a process of its own, so once."""
    if (folder / "made").is_file():
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    queries = QUERIES if unit == "documents" else max(1, size // DEPTH)
    documents = size if unit == "documents" else min(size, STORE_DOCUMENTS)
    _write_collection(folder / "data", documents, queries)
    command = [sys.executable, "-m", "benchmarks.memory", "--child", MODEL, "--work", str(folder / MODEL)]
    subprocess.run(command, check=True, capture_output=True)
    if unit == "scores":
        _write_candidates(folder / "candidates", folder / "data", documents, queries)
    (folder / "made").touch()


def _write_collection(folder: Path, documents: int, queries: int) -> None:
    """Documents of made-up words that are as frequent as words are; a judged document a query."""
    generator = np.random.default_rng(0)
    shares = np.cumsum(1 / np.arange(10, WORDS + 10))
    shares /= shares[-1]

    def texts(count: int, length: int) -> Iterator[str]:
        for start in range(0, count, 10_000):
            shape = (min(10_000, count - start), length)
            for row in np.searchsorted(shares, generator.random(shape)).clip(0, WORDS - 1).tolist():
                yield " ".join(f"w{term}" for term in row)

    (folder / "qrels").mkdir(parents=True)
    with (folder / "corpus.jsonl").open("w") as stream:
        for number, text in enumerate(texts(documents, LENGTH)):
            stream.write(json.dumps({"_id": f"d{number:09d}", "title": f"n{number}", "text": text}) + "\n")
    with (folder / "queries.jsonl").open("w") as stream:
        for number, text in enumerate(texts(queries, 6)):
            stream.write(json.dumps({"_id": f"q{number:09d}", "text": f"q{number} {text}"}) + "\n")
    for split, judged in (("train", queries), (FEW, min(FEW_QUERIES, queries))):
        with (folder / "qrels" / f"{split}.tsv").open("w") as stream:
            stream.write("query-id\tcorpus-id\tscore\n")
            for number in range(judged):
                stream.write(f"q{number:09d}\td{number * 37 % documents:09d}\t1\n")


def _write_candidates(folder: Path, data: Path, documents: int, queries: int) -> None:
    """`DEPTH` documents a query, the judged one first."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from rankdistill import manifest, tables
    from rankdistill.data import load

    folder.mkdir()
    depth = min(DEPTH, documents)
    with pq.ParquetWriter(folder / tables.CANDIDATES_FILE, tables.CANDIDATES) as writer:
        for first in range(0, queries, 500):
            numbers = np.arange(first, min(first + 500, queries))
            places = (numbers[:, None] * 37 + np.arange(depth) * (documents // depth)) % documents
            count = places.size
            columns = [
                [f"q{number:09d}" for number in np.repeat(numbers, depth)],
                [f"d{place:09d}" for place in places.ravel()],
                ["bm25"] * count,
                np.tile(np.arange(1, depth + 1, dtype=np.int32), len(numbers)),
                np.ones(count, np.float32),
                pa.array(np.tile(np.arange(depth) == 0, len(numbers)).astype(np.int32)),
            ]
            labels = pa.array([1 if one else None for one in columns[5].to_pylist()], pa.int32())
            writer.write_table(pa.table([*columns[:5], labels], schema=tables.CANDIDATES))
    manifest.Manifest("candidates", {"dataset": load(data).fingerprint}).write(folder)


def _write_models(folder: Path) -> None:
    """Made-up vectors of the made-up words as models of sentence-transformers: dense in `folder`, the others beside."""
    import torch
    from sentence_transformers import MultiVectorEncoder, SentenceTransformer, SparseEncoder
    from sentence_transformers.base.modules import Normalize, Transformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from sentence_transformers.sparse_encoder.modules import SparseStaticEmbedding
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    words = {"[UNK]": 0, "[PAD]": 1} | {f"w{number}": number + 2 for number in range(WORDS)}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    generator = np.random.default_rng(1)
    table = generator.normal(size=(len(words), DIMENSION)).astype(np.float32)
    model = SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_weights=table)], device="cpu")
    model.save(str(folder), create_model_card=False)

    whole = PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="[UNK]", pad_token="[PAD]")
    weights = torch.from_numpy(generator.random(len(words), np.float32) + 0.1)
    sparse = SparseEncoder(modules=[SparseStaticEmbedding(whole, weight=weights)], device="cpu")
    sparse.save_pretrained(str(folder.with_name(SPARSE)), create_model_card=False)

    torch.manual_seed(0)
    plain = folder.with_name("bert")
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=TOKEN_DIMENSION,
        num_hidden_layers=1,
        num_attention_heads=1,
        intermediate_size=TOKEN_DIMENSION,
        max_position_embeddings=128,
    )
    BertModel(config).save_pretrained(plain)
    whole.save_pretrained(plain)
    tokens = [Transformer(str(plain), max_seq_length=128), Normalize(module_input_name="token_embeddings")]
    MultiVectorEncoder(modules=tokens, device="cpu").save_pretrained(
        str(folder.with_name(MULTI_VECTOR)), create_model_card=False
    )


if __name__ == "__main__":
    main()
