"""Peak memory of scoring and reading as the store grows.

    python -m benchmarks.store.memory --sizes 100000 1000000

Each size runs in a process of its own with a teacher that costs nothing (a checksum), so that only the store itself
can grow. The corpus is the same for every size: only the number of scores changes.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import sys
import time
import zlib
from pathlib import Path

from benchmarks.provenance import parse, write_results

DOCUMENTS = 20_000
QUERIES = 20_000


def main() -> None:
    """Measure each size in a child process and print the ratio of the largest to the smallest."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--work", type=Path, default=Path("runs/memory"))
    parser.add_argument("--child", type=int)
    given = parse(parser)
    if given.child:
        print(json.dumps(_measure(given.child, given.work)))
        return
    rows = []
    for size in given.sizes:
        shutil.rmtree(given.work, ignore_errors=True)
        command = [sys.executable, "-m", "benchmarks.store.memory", "--child", str(size), "--work", str(given.work)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        rows.append(json.loads(done.stdout.splitlines()[-1]))
        print(rows[-1])
    ratio = rows[-1]["peak_mib"] / rows[0]["peak_mib"]
    print(f"peak memory, {given.sizes[-1]:,} scores against {given.sizes[0]:,}: x{ratio:.2f}")
    write_results("store_memory", {"rows": rows, "ratio": round(ratio, 3)}, "synthetic")


class _ChecksumTeacher:
    """Costs nothing."""

    teacher_id, fingerprint, score_kind = "checksum-0", {"name": "checksum"}, "logit"

    def score(self, pairs, progress=None):
        import numpy as np

        return np.array([zlib.crc32(f"{query}{document}".encode()) for query, document in pairs], np.float32)


def _measure(size: int, work: Path) -> dict[str, float | int]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from rankdistill import tables
    from rankdistill.stores.reader import ScoreStore
    from rankdistill.stores.writer import ScoreWriter

    work.mkdir(parents=True)
    queries = {f"q{number:06d}": f"query {number}" for number in range(QUERIES)}
    documents = {f"d{number:06d}": f"document {number} " + "word " * 50 for number in range(DOCUMENTS)}
    depth = size // QUERIES
    candidates = work / "candidates.parquet"
    with pq.ParquetWriter(candidates, tables.CANDIDATES) as writer:
        for first in range(0, QUERIES, 1000):
            rows = [
                (f"q{number:06d}", f"d{(number * 37 + rank * 101) % DOCUMENTS:06d}", "bm25", rank, 1.0, None)
                for number in range(first, first + 1000)
                for rank in range(1, depth + 1)
            ]
            columns = [list(column) for column in zip(*rows, strict=True)]
            writer.write_table(pa.table(columns, schema=tables.CANDIDATES))
    writer = ScoreWriter(
        work / "store",
        queries=queries,
        documents=documents,
        candidates=candidates,
        teacher=_ChecksumTeacher(),
        dataset_fingerprint="0" * 64,
    )
    started = time.perf_counter()
    writer.run()
    seconds = time.perf_counter() - started
    writer.run()  # over the full store: the plan compares every pair with what is stored
    count = ScoreStore(work / "store").count()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"scores": count, "peak_mib": round(peak, 1), "scores_per_s": round(count / seconds)}


if __name__ == "__main__":
    main()
