"""sentence-transformers' own trainer and losses on the same texts or rows, from the same cut student."""

from __future__ import annotations

from typing import Any

import pyarrow.parquet as pq
from common import make, texts
from datasets import Dataset
from sentence_transformers import (
    SentenceTransformer,
    SentenceTransformerTrainer,
    SentenceTransformerTrainingArguments,
)
from sentence_transformers.sentence_transformer import losses


def work(said: dict[str, Any]) -> Any:
    """`margin_mse` and `kl` on rows with the teacher's scores, `embed` on texts with its vectors."""
    model = SentenceTransformer(said["start"], device="cpu")
    model.max_seq_length = said["max_length"]
    arguments = SentenceTransformerTrainingArguments(
        output_dir=f"{said['out']}.checkpoints",
        per_device_train_batch_size=said["batch_size"],
        learning_rate=said["rate"],
        max_steps=said["steps"],
        warmup_steps=0.06,
        weight_decay=0.01,
        save_strategy="no",
        report_to="none",
        seed=said["seed"],
        use_cpu=True,
    )
    if said["loss"] == "embed":
        read, vectors = texts(said)
        rows = Dataset.from_dict({"text": read, "label": vectors.tolist()})
        loss: Any = losses.EmbedDistillLoss(model)
    else:
        table = pq.read_table(said["rows"])
        rows = Dataset.from_dict({name: table[name].to_pylist() for name in table.column_names})
        temperature = said["temperature"]
        loss = (
            losses.MarginMSELoss(model)
            if said["loss"] == "margin_mse"
            else losses.DistillKLDivLoss(model, student_temperature=temperature, teacher_temperature=temperature)
        )
    SentenceTransformerTrainer(model=model, args=arguments, train_dataset=rows, loss=loss).train()
    return model


if __name__ == "__main__":
    make(work)
