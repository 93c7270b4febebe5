"""TREC DL 2019: published figures from scored runs as table teachers, then ensembles of them.

    python -m benchmarks.reproductions.dl19_pool --data DIR [--work DIR]

DIR holds `trec_dl19_pool/` with `teacher/*.tsv.gz` (qid, docid, rank, score) and `qrels_full/test.tsv`. Three parts:

1. each first-stage run alone, against its published nDCG@10, to four digits;
2. every calibration with `intersect` and `impute`, against the best single run; leave-one-out of the default one;
3. weights fitted by cross-validation with failed re-rankers (`vicuna-*-v1.5`) among the members: over first stages,
   whose documents differ, and over re-rankers of one first stage, whose documents are the same.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.provenance import parse, write_results
from rankdistill.ensembles.calibration import CALIBRATIONS
from rankdistill.ensembles.source import Ensemble
from rankdistill.evaluation import ensembles
from rankdistill.evaluation.comparing import compare_per_query
from rankdistill.evaluation.ensembles import MEASURE, Quality, evaluate
from rankdistill.evaluation.measures import Evaluated, Qrels
from rankdistill.evaluation.system_table import Rows, comparison_table
from rankdistill.formats.importing import Request, import_scores
from rankdistill.stores.reader import ScoreStore

FIRST_STAGES = {
    "BM25": "dot",
    "BM25_RM3": "dot",
    "D_BERT_KD_TASB": "dot",
    "SPLADE_P_P_ENSEMBLE_DISTIL": "dot",
    "OPEN_AI_ADA2": "cosine",
    "REP_LLAMA": "cosine",
}
"""Run -> score kind."""

PUBLISHED = {
    "BM25": 0.5058,
    "BM25_RM3": 0.5216,
    "D_BERT_KD_TASB": 0.7210,
    "SPLADE_P_P_ENSEMBLE_DISTIL": 0.7308,
    "OPEN_AI_ADA2": 0.7035,
}
"""nDCG@10. RepLLaMA's scores have three digits and so many ties, which its run orders otherwise than trec_eval does."""

BAD = ("vicuna-7b-v1.5__on__BM25", "vicuna-13b-v1.5__on__BM25")
RERANKERS = (
    "gpt-3.5-turbo__on__BM25",
    "output_v2_aug_vicuna_7b__on__BM25",
    "output_v2_vicuna_7b__on__BM25",
    "vicuna-7b-checkpoint-800__on__BM25",
)
REFERENCE = "SPLADE_P_P_ENSEMBLE_DISTIL"
DEFAULT = "zscore"
FITS = (
    ("first stages and bad re-rankers", (*FIRST_STAGES, *BAD), "intersect"),
    ("first stages and bad re-rankers", (*FIRST_STAGES, *BAD), "impute"),
    ("BM25, its re-rankers and bad ones", ("BM25", *RERANKERS, *BAD), "error"),
)


def main() -> None:
    """Run the three parts; exits with 1 if a published figure is not met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("RANKDISTILL_DATA"))
    parser.add_argument("--work", type=Path, default=Path("runs/dl19_pool"))
    given = parse(parser)
    if given.data is None:
        parser.error("give --data, or set RANKDISTILL_DATA")
    pool = given.data / "trec_dl19_pool"
    shutil.rmtree(given.work, ignore_errors=True)
    store, qrels = _import(pool, given.work / "store"), _read_qrels(pool / "qrels_full/test.tsv")
    alone = {name: evaluate(store.scores(name), qrels) for name in FIRST_STAGES}
    singles = _reproduce(alone)
    best = max(alone, key=lambda name: alone[name].means[MEASURE])
    content = {
        "published": singles,
        "best_single": best,
        "ensembles": _ensembles(store, qrels, best, alone[best]),
        "leave_one_out": _leave_one_out(store, qrels),
        "fitted": [_fit(store, qrels, *case) for case in FITS],
    }
    print(write_results("dl19_pool", content, "trec_dl19_pool"))
    if not all(one["found"] == one["published"] for one in singles if one["published"]):
        sys.exit("a published figure is not met")


def _import(pool: Path, out: Path) -> ScoreStore:
    """One store of ids, a teacher a run."""
    kinds = FIRST_STAGES | dict.fromkeys((*RERANKERS, *BAD), "rank")
    for name, kind in kinds.items():
        import_scores(Request("run-tsv", [pool / "teacher" / f"{name}.tsv.gz"], name, score_kind=kind), out)
    return ScoreStore(out)


def _read_qrels(path: Path) -> Qrels:
    found: dict[str, dict[str, int]] = {}
    for line in path.read_text().splitlines()[1:]:
        query_id, doc_id, label = line.split("\t")
        found.setdefault(query_id, {})[doc_id] = int(label)
    return found


def _reproduce(alone: dict[str, Evaluated]) -> list[dict[str, Any]]:
    rows = [
        {"run": name, "found": round(found.means[MEASURE], 4), "published": PUBLISHED.get(name)}
        for name, found in alone.items()
    ]
    shown = [[name, f"{found.means[MEASURE]:.4f}", f"{PUBLISHED.get(name, '-')}"] for name, found in alone.items()]
    _print("nDCG@10 of single runs", (["run", "found", "published"], shown))
    return rows


def _ensembles(store: ScoreStore, qrels: Qrels, best: str, baseline: Evaluated) -> list[dict[str, Any]]:
    """Each calibration and policy, minus the best single run."""
    evaluated, rows = {best: baseline}, []
    for calibrate, calibration in CALIBRATIONS.items():
        if calibrate == "none":  # a dot product and a cosine cannot be averaged
            continue
        for missing in ("intersect", "impute"):
            reference = REFERENCE if calibration.reference != "none" else None
            ensemble = Ensemble(store, list(FIRST_STAGES), calibrate, missing, reference=reference)
            evaluated[f"{calibrate}, {missing}"] = evaluate(ensemble.scores(), qrels)
            rows.append({"calibrate": calibrate, "missing": missing, "coverage": ensemble.coverage.to_json()})
    compared = compare_per_query({name: one.per_query for name, one in evaluated.items()}, best, measures=[MEASURE])
    header, table = comparison_table(compared, MEASURE)
    values = [f"{evaluated[row[0]].means[MEASURE]:.4f}" for row in table]
    table = [[row[0], value, *row[1:]] for row, value in zip(table, values, strict=True)]
    _print(
        f"six first stages, minus {best} ({baseline.means[MEASURE]:.4f})", ([header[0], "nDCG@10", *header[1:]], table)
    )
    return [
        row | {"ndcg_at_10": float(value)} | one.model_dump(include={"difference", "interval", "p_value", "p_holm"})
        for row, value, one in zip(rows, values, compared, strict=True)
    ]


def _leave_one_out(store: ScoreStore, qrels: Qrels) -> dict[str, Any]:
    found = {}
    for missing in ("intersect", "impute"):
        quality = ensembles.assess(Ensemble(store, list(FIRST_STAGES), DEFAULT, missing), qrels)
        _print(f"leave-one-out, {DEFAULT}, {missing}", ensembles.quality_rows(quality))
        found[missing] = _summary(quality)
    return found


def _fit(store: ScoreStore, qrels: Qrels, title: str, members: Sequence[str], missing: str) -> dict[str, Any]:
    quality = ensembles.assess(Ensemble(store, members, DEFAULT, missing), qrels, fit=True)
    assert quality.fit is not None
    names = {teacher_id: str(store.fingerprint(teacher_id)["name"]) for teacher_id in quality.fit.weights}
    bad = [teacher_id for teacher_id, name in names.items() if name in BAD]
    shares = [sum(fold[teacher_id] for teacher_id in bad) for fold in quality.fit.folds]
    _print(f"{title}, {DEFAULT}, {missing}", ensembles.quality_rows(quality))
    _print("fitted weights", ensembles.weight_rows(quality.fit, names))
    total = sum(quality.fit.weights[teacher_id] for teacher_id in bad)
    equal = len(bad) / len(names)
    spread = f"folds {min(shares):.3f} .. {max(shares):.3f}"
    print(f"weight of the {len(bad)} bad ones: {total:.3f} ({spread}); equal weights: {equal:.3f}\n")
    return {
        "members": list(members),
        "missing": missing,
        "weights": {names[teacher_id]: round(weight, 4) for teacher_id, weight in quality.fit.weights.items()},
        "bad_weight": round(total, 4),
        "bad_weight_of_folds": [round(share, 4) for share in shares],
        **_summary(quality),
    }


def _summary(quality: Quality) -> dict[str, Any]:
    return {
        "coverage": quality.coverage.to_json(),
        "ndcg_at_10": {system.name: round(system.measures[MEASURE], 4) for system in quality.systems},
        "minus_ensemble": [
            one.model_dump(include={"system", "difference", "interval", "p_value", "p_holm"})
            for one in quality.comparisons
        ],
    }


def _print(title: str, table: Rows) -> None:
    header, rows = table
    widths = [max(len(row[place]) for row in [header, *rows]) for place in range(len(header))]
    print(title)
    for row in [header, *rows]:
        print("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    print()


if __name__ == "__main__":
    main()
