"""A collection of forty documents, an encoder and a cross-encoder of random weights, for what only asks for order."""

from __future__ import annotations

import json
import random
from pathlib import Path

TOPICS = ("river", "planet", "bread", "violin", "harbour", "engine")
WORDS = ("deep", "old", "bright", "slow", "small", "round", "north", "glass", "iron", "sweet", "stone", "the", "is")
DOCUMENTS, QUERIES = 40, {"train": 12, "dev": 6, "test": 6}
LENGTH, WIDTH = 64, 32


def collection(folder: Path) -> None:
    """Write the documents, queries and judgements in BEIR layout."""
    chosen = random.Random(7)
    (folder / "qrels").mkdir(parents=True)
    topics = [TOPICS[number % len(TOPICS)] for number in range(DOCUMENTS)]
    documents = [
        {"_id": f"d{number:02d}", "title": "", "text": f"the {topic} is {' '.join(chosen.choices(WORDS, k=9))}"}
        for number, topic in enumerate(topics)
    ]
    queries = []
    for split, count in QUERIES.items():
        lines = ["query-id\tcorpus-id\tscore"]
        for _ in range(count):
            relevant = chosen.randrange(DOCUMENTS)
            queries.append({"_id": f"q{len(queries):02d}", "text": f"{topics[relevant]} {chosen.choice(WORDS)}"})
            lines.append(f"{queries[-1]['_id']}\td{relevant:02d}\t1")
        (folder / "qrels" / f"{split}.tsv").write_text("\n".join(lines) + "\n")
    for name, rows in (("corpus", documents), ("queries", queries)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


_CARD = """---
configs:
- {config_name: corpus, data_files: [{split: corpus, path: corpus.jsonl}]}
- {config_name: queries, data_files: [{split: queries, path: queries.jsonl}]}
- {config_name: default, data_files: SPLITS}
---
"""


def hub(folder: Path, made: Path) -> None:
    """Write the collection in `made` as a data set of the Hugging Face hub lies there, which `datasets` reads here."""
    splits = sorted(path.stem for path in (made / "qrels").glob("*.tsv"))
    folder.mkdir(parents=True)
    for name in ("corpus.jsonl", "queries.jsonl"):
        (folder / name).write_bytes((made / name).read_bytes())
    for split in splits:
        header, *lines = (made / "qrels" / f"{split}.tsv").read_text().splitlines()
        rows = [dict(zip(header.split("\t"), line.split("\t"), strict=True)) for line in lines]
        judged = [{**row, "score": int(row["score"])} for row in rows]
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in judged))
    files = ", ".join(f"{{split: {split}, path: {split}.jsonl}}" for split in splits)
    (folder / "README.md").write_text(_CARD.replace("SPLITS", f"[{files}]"))


def models(encoder: Path, cross_encoder: Path) -> None:
    """Write an encoder and a cross-encoder of two layers."""
    import torch
    from sentence_transformers import CrossEncoder, SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
    from transformers import BertConfig, BertModel, BertTokenizerFast

    plain = encoder.with_name(f"{encoder.name}-plain")
    plain.mkdir(parents=True)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *sorted({*TOPICS, *WORDS})]
    (plain / "vocab.txt").write_text("\n".join(words) + "\n")
    tokenizer = BertTokenizerFast(str(plain / "vocab.txt"), model_max_length=LENGTH)
    torch.manual_seed(3)
    shape = {"hidden_size": WIDTH, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 2 * WIDTH}
    config = BertConfig(vocab_size=len(tokenizer), max_position_embeddings=LENGTH, initializer_range=0.3, **shape)
    BertModel(config).save_pretrained(plain)
    tokenizer.save_pretrained(plain)
    modules = [Transformer(str(plain), max_seq_length=LENGTH), Pooling(WIDTH, pooling_mode="mean"), Normalize()]
    SentenceTransformer(modules=modules, device="cpu").save(str(encoder), create_model_card=False)
    CrossEncoder(str(plain), num_labels=1, device="cpu", max_length=LENGTH).save_pretrained(str(cross_encoder))
