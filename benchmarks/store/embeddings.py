"""Memory of an embedding store as it grows: writing it, mapping it, and reading random rows of it in training.

    python -m benchmarks.store.embeddings --sizes 100000 400000 --dimension 384

Each size runs in a process of its own with a teacher that costs nothing, so that only the store itself can grow. What
is counted is the memory that belongs to the process alone (RssAnon, sampled): mapped pages of a file are the system's
to take back. The last phase reads random rows once more while the process may not have as much memory as the vectors
need (RLIMIT_DATA): a store larger than memory trains.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.provenance import parse, write_results

BATCH = 32
BATCHES = 5_000
MIB = 2**20


def main() -> None:
    """Measure each size in a child process and print the growth from the smallest to the largest."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[100_000, 400_000])
    parser.add_argument("--dimension", type=int, default=384)
    parser.add_argument("--work", type=Path, default=Path("runs/embeddings"))
    parser.add_argument("--child", type=int)
    given = parse(parser)
    if given.child:
        print(json.dumps(_measure(given.child, given.dimension, given.work)))
        return
    rows = []
    for size in given.sizes:
        shutil.rmtree(given.work, ignore_errors=True)
        words = ["--child", str(size), "--dimension", str(given.dimension), "--work", str(given.work)]
        command = [sys.executable, "-m", "benchmarks.store.embeddings", *words]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        rows.append(json.loads(done.stdout.splitlines()[-1]))
        print(rows[-1])
    shutil.rmtree(given.work, ignore_errors=True)
    growth = {name: round(rows[-1][name] - rows[0][name], 1) for name in rows[0] if name.endswith("_mib")}
    print(f"growth from {given.sizes[0]:,} to {given.sizes[-1]:,} vectors: {growth}")
    write_results("store_embeddings", {"rows": rows, "growth": growth, "batch": BATCH}, "synthetic")


def _measure(size: int, dimension: int, work: Path) -> dict[str, float | int]:
    import numpy as np

    from rankdistill.stores.embeddings import EmbeddingStore
    from rankdistill.stores.embeddings.gathering import gather
    from rankdistill.stores.embeddings.sources import Sources
    from rankdistill.stores.embeddings.text_files import TextFile
    from rankdistill.stores.embeddings.writer import EmbeddingWriter

    work.mkdir(parents=True)
    with (work / "texts.txt").open("w") as stream:
        stream.writelines(
            f"text {number} of a synthetic collection, {number * 7919 % size}\n" for number in range(size)
        )
    found: dict[str, float | int] = {"vectors": size, "vectors_size_mb": round(size * dimension * 4 / 1e6)}

    with _phase(found, "write"):
        gathered = gather(Sources(files=[TextFile(work / "texts.txt", "query")]), work / "texts.parquet")
        EmbeddingWriter(work / "store", gathered, _FreeTeacher(dimension)).run()
    with _phase(found, "map"):
        store = EmbeddingStore(work / "store")
        vectors = store.vectors()
    with _phase(found, "read"):
        _read_randomly(vectors, np.random.default_rng(0))
    found["read_rows_per_s"] = round(BATCH * BATCHES / float(found["read_s"]))
    spare = size * dimension  # a quarter of what the vectors take
    resource.setrlimit(resource.RLIMIT_DATA, (_status("VmData:") + spare, resource.RLIM_INFINITY))
    with _phase(found, "limited_read"):
        _read_randomly(vectors, np.random.default_rng(1))
        texts = store.texts()["text"]
        assert [texts[row].as_py() for row in (0, size - 1)]
    try:
        np.array(vectors)
    except MemoryError:
        return found
    raise SystemExit("the limit leaves room for all vectors: it shows nothing")


def _read_randomly(vectors: Any, generator: Any) -> None:
    """What training does: batches of random rows, as arrays of their own."""
    total = 0.0
    for _ in range(BATCHES):
        batch = vectors[generator.integers(0, len(vectors), BATCH)]
        total += float(batch[0, 0])


class _FreeTeacher:
    """Embeds a text by its length and number; costs nothing."""

    teacher_id, reference, fingerprint, prompts = "free-0", "free", {"name": "free"}, {"query": "", "document": ""}

    def __init__(self, dimension: int) -> None:
        from rankdistill.space import Space

        self.space = Space(dimension, normalised=False, similarity="dot")

    def embed(self, texts, role, progress=None):
        import numpy as np

        numbers = np.array([len(text) for text in texts], np.float32)
        generator = np.random.default_rng(int(numbers.sum()))
        return generator.normal(size=(len(texts), self.space.dimension)).astype(np.float32)

    def is_cut(self, texts, role):
        import numpy as np

        return np.zeros(len(texts), dtype=bool)

    def exact(self):
        return None


@contextmanager
def _phase(found: dict[str, float | int], name: str) -> Iterator[None]:
    """Put the seconds of the phase and the most private memory during it into `found`."""
    started, most, stop = time.perf_counter(), [_private()], threading.Event()

    def watch() -> None:
        while not stop.wait(0.02):
            most.append(_private())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield
    finally:
        stop.set()
        watcher.join()
    found |= {f"{name}_s": round(time.perf_counter() - started, 2), f"{name}_mib": round(max(most) / MIB, 1)}


def _status(field: str) -> int:
    """Bytes of a field of /proc/self/status."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(field))
    return int(line.split()[1]) * 1024


def _private() -> int:
    return _status("RssAnon:")


if __name__ == "__main__":
    main()
