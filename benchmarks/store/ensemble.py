"""Memory and speed of reading, calibrating and ensembling three teachers, against polars doing the same join by hand.

    python -m benchmarks.store.ensemble [--rows 1000000 10000000] [--work DIR]

Makes a synthetic store of that many scores a teacher, 100 documents a query, shards of 8,192 rows. Two cases: teachers
that scored the same pairs, and teachers that each lack 2% of them. z-scores per query, policy intersect, equal weights.
Every measurement runs in a process of its own; the clock starts after the imports, and every way must give the same sum
of scores. What rankdistill does besides: it checks the rows, and counts what each teacher lacks.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.provenance import parse, write_results

TEACHERS = ("alpha", "beta", "gamma")
DEPTH = 100
SHARD = 8192
CASES = {"same pairs": 0.0, "2% missing": 0.02}
LIMIT_MIB = 1536


def main() -> None:
    """Measure each size and case, print the ratios; exits with 1 if the sums differ or the memory limit is passed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000, 10_000_000])
    parser.add_argument("--work", type=Path, default=Path("runs/ensemble"))
    parser.add_argument("--child", choices=WAYS)
    given = parse(parser)
    if given.child:
        print(json.dumps(_measure(WAYS[given.child], given.work)))
        return
    found = []
    for rows in given.rows:
        for case, lacking in CASES.items():
            shutil.rmtree(given.work, ignore_errors=True)
            seconds = _make_store(given.work, rows, lacking)
            print(f"== {rows:,} rows a teacher, {case}; made in {seconds:.0f} s", flush=True)
            ways = {way: _in_child(way, given.work) for way in WAYS}
            for way, measured in ways.items():
                print(
                    f"{way:16} {measured['rows_per_s']:>12,} teacher rows/s, {measured['cpu_seconds']:.1f} CPU s, "
                    f"peak {measured['peak_mib']:,.0f} MiB"
                )
            ratio = ways["rankdistill"]["rows_per_s"] / max(
                one["rows_per_s"] for way, one in ways.items() if way[0] == "p"
            )
            print(f"rankdistill / the faster polars: x{ratio:.2f}")
            found.append({"rows_a_teacher": rows, "case": case, "ratio": round(ratio, 2), **ways})
    shutil.rmtree(given.work, ignore_errors=True)
    path = write_results("store_ensemble", {"teachers": len(TEACHERS), "measured": found}, "synthetic")
    print(path)
    if not all(_agree(one) and one["rankdistill"]["peak_mib"] < LIMIT_MIB for one in found):
        sys.exit(f"the ways differ, or rankdistill passed {LIMIT_MIB} MiB")


def _agree(measured: dict[str, Any]) -> bool:
    sums = [measured[way]["sum"] for way in WAYS]
    pairs = {measured[way]["pairs"] for way in WAYS}
    return len(pairs) == 1 and max(sums) - min(sums) < 1e-6 * pairs.pop()


def _in_child(way: str, work: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.store.ensemble", "--child", way, "--work", str(work)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def _measure(way: Callable[[Path], tuple[int, float]], work: Path) -> dict[str, Any]:
    import polars as pl

    from rankdistill.ensembles.source import Ensemble  # noqa: F401 - the clock must not see the import

    total = pl.scan_parquet(work / "scores/*/*.parquet").select(pl.len()).collect().item()
    started, cpu = time.perf_counter(), time.process_time()
    pairs, score_sum = way(work)
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "pairs": pairs,
        "sum": score_sum,
        "seconds": round(seconds, 2),
        "cpu_seconds": round(cpu, 2),
        "rows_per_s": round(total / seconds),
        "peak_mib": round(peak, 1),
    }


def _ours(work: Path) -> tuple[int, float]:
    import pyarrow.compute as pc

    from rankdistill.ensembles.source import Ensemble
    from rankdistill.stores.reader import ScoreStore

    pairs, total = 0, 0.0
    for batch in Ensemble(ScoreStore(work), TEACHERS, "zscore", "intersect").iterate():
        pairs += batch.num_rows
        total += pc.sum(batch["score"].cast("float64")).as_py()
    return pairs, total


def _by_hand(engine: str) -> Callable[[Path], tuple[int, float]]:
    def run(work: Path) -> tuple[int, float]:
        import polars as pl

        def member(name: str) -> pl.LazyFrame:
            score = pl.col("score").cast(pl.Float64)
            calibrated = (score - score.mean().over("query_id")) / score.std(ddof=0).over("query_id")
            scan = pl.scan_parquet(sorted((work / "scores" / name).glob("*.parquet")))
            return scan.select("query_id", "doc_id", calibrated.alias(name))

        first, *others = (member(name) for name in TEACHERS)
        for other in others:
            first = first.join(other, on=["query_id", "doc_id"], how="inner")
        mean = first.select("query_id", "doc_id", score=pl.mean_horizontal(*TEACHERS).cast(pl.Float32))
        table = mean.collect(engine=engine)
        return table.height, float(table["score"].cast(pl.Float64).sum())

    return run


WAYS = {"rankdistill": _ours, "polars in-memory": _by_hand("in-memory"), "polars streaming": _by_hand("streaming")}


def _make_store(root: Path, rows: int, lacking: float) -> float:
    import numpy as np
    import polars as pl
    import pyarrow as pa
    import pyarrow.parquet as pq

    from rankdistill import files, manifest, tables
    from rankdistill.stores.layout import ARTEFACT, Layout

    started = time.perf_counter()
    layout, generator = Layout(root), np.random.default_rng(0)
    for name in TEACHERS:
        files.write_text(layout.teacher(name), json.dumps({"name": name, "score_kind": "logit"}))
        layout.scores(name).mkdir(parents=True)
        held, number = tables.SCORES.empty_table(), 0
        for first in range(0, rows, 50 * SHARD):
            place = np.arange(first, min(first + 50 * SHARD, rows))
            place = place[generator.random(len(place)) >= lacking]
            query, doc = place // DEPTH, place % DEPTH * 88_000 + place // DEPTH % 88_000
            ids = pl.select(
                query_id=pl.format("{}", pl.Series(query + 1_000_000)),
                doc_id=pl.format("{}", pl.Series(doc + 1_000_000)),
            ).to_arrow()
            keys = pa.FixedSizeBinaryArray.from_buffers(
                pa.binary(16), len(place), [None, pa.py_buffer(generator.bytes(16 * len(place)))]
            )
            scores = pa.array(generator.normal(size=len(place)).astype(np.float32) * 4 - 3)
            columns = [
                ids["query_id"].cast("string"),
                ids["doc_id"].cast("string"),
                pa.array([name] * len(place)),
                scores,
            ]
            held = pa.concat_tables([held, pa.table([*columns, keys], schema=tables.SCORES)]).combine_chunks()
            whole = len(held) if first + 50 * SHARD >= rows else len(held) - len(held) % SHARD
            for start in range(0, whole, SHARD):
                path = layout.scores(name) / f"part-{number:06d}-0.parquet"
                pq.write_table(held.slice(start, min(SHARD, whole - start)), path, compression="zstd")
                number += 1
            held = held.slice(whole)
    outputs = {path.relative_to(root).as_posix(): "" for path in sorted(root.rglob("*.*"))}
    manifest.Manifest(ARTEFACT, outputs=outputs).write(root)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
