"""Memory and speed of the gate as the store grows.

    python -m benchmarks.store.check [--rows 1000000 10000000] [--teachers 3] [--work DIR]

Makes a synthetic store of that many scores a teacher: 50 documents a query, one labelled positive, shards of 8,192
rows, content keys. Each measurement runs in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.provenance import parse, write_results

DEPTH, SHARD, DOCUMENTS = 50, 8192, 200_000
LIMIT_MIB = 1536


def main() -> None:
    """Measure each size in a child process; exits with 1 if the memory limit is passed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000, 10_000_000])
    parser.add_argument("--teachers", type=int, default=3)
    parser.add_argument("--work", type=Path, default=Path("runs/check"))
    parser.add_argument("--child", action="store_true")
    given = parse(parser)
    if given.child:
        print(json.dumps(_measure(given.work)))
        return
    found = []
    for rows in given.rows:
        shutil.rmtree(given.work, ignore_errors=True)
        _make_store(given.work, rows, given.teachers)
        command = [sys.executable, "-m", "benchmarks.store.check", "--child", "--work", str(given.work)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        found.append({"rows_a_teacher": rows, "teachers": given.teachers} | json.loads(done.stdout.splitlines()[-1]))
        print(found[-1], flush=True)
    shutil.rmtree(given.work, ignore_errors=True)
    print(write_results("store_check", {"measured": found}, "synthetic"))
    if any(one["peak_mib"] > LIMIT_MIB for one in found):
        sys.exit(f"the gate passed {LIMIT_MIB} MiB")


def _measure(work: Path) -> dict[str, Any]:
    from rankdistill.gate.run import examine
    from rankdistill.gate.subject import of_store
    from rankdistill.stores.reader import ScoreStore

    rows = 0

    def count(read: int) -> None:
        nonlocal rows
        rows += read

    started = time.perf_counter()
    report = examine(of_store(ScoreStore(work)), progress=count)
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "status": str(report.status),
        "seconds": round(seconds, 1),
        "rows_per_s": round(rows / seconds),
        "peak_mib": round(peak, 1),
    }


def _make_store(root: Path, rows: int, teachers: int) -> None:
    """Queries in order; every teacher scores every candidate, the positive 3 deviations higher."""
    import numpy as np
    import polars as pl
    import pyarrow as pa
    import pyarrow.parquet as pq

    from rankdistill import manifest, tables
    from rankdistill.stores.layout import Layout

    layout, generator = Layout(root), np.random.default_rng(0)
    names = [f"teacher-{number}" for number in range(teachers)]
    for folder in (layout.candidates, layout.teacher("x").parent, *map(layout.scores, names)):
        folder.mkdir(parents=True)
    for name in names:
        layout.teacher(name).write_text(json.dumps({"name": name, "score_kind": "logit"}))
    with pq.ParquetWriter(layout.candidates / "made.parquet", tables.CANDIDATES, compression="zstd") as candidates:
        for part, first in enumerate(range(0, rows, SHARD)):
            place = np.arange(first, min(rows, first + SHARD))
            rank, query = place % DEPTH, place // DEPTH
            positive = rank == (query * 7) % DEPTH
            pairs = pl.DataFrame({"query": query, "document": (query * 131 + rank * 977) % DOCUMENTS}).select(
                query_id=pl.format("q{}", pl.col("query").cast(pl.String).str.zfill(8)),
                doc_id=pl.format("d{}", pl.col("document").cast(pl.String).str.zfill(7)),
            )
            candidates.write_table(
                pairs.with_columns(
                    source=pl.lit("bm25"),
                    rank=pl.Series(rank + 1),
                    source_score=pl.Series(-rank),
                    label=pl.when(pl.Series(positive)).then(1),
                )
                .to_arrow()
                .cast(tables.CANDIDATES)
            )
            for number, name in enumerate(names):
                score = generator.normal(size=len(place)) + 3 * positive
                keys = [index.to_bytes(15, "big") + bytes([number]) for index in place.tolist()]
                columns = [*pairs.to_arrow().columns, [name] * len(place), score.astype(np.float32), keys]
                table = pa.table(dict(zip(tables.SCORES.names, columns, strict=True))).cast(tables.SCORES)
                pq.write_table(table, layout.scores(name) / f"part-{part:06d}-made.parquet", compression="zstd")
    written = {path.relative_to(root).as_posix(): "" for path in sorted(root.rglob("*")) if path.is_file()}
    manifest.Manifest("scores", outputs=written).write(root)


if __name__ == "__main__":
    main()
