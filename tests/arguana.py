"""A collection laid out as ArguAna is published: the queries are documents, and some judged documents are absent."""

from __future__ import annotations

import json
from pathlib import Path

WORDS = ("deep", "old", "bright", "slow", "small", "round", "glass", "iron", "sweet", "stone", "river", "bread")


def write(folder: Path) -> Path:
    """24 arguments, half of them queries under their own id and with their own text; every third query lacks a judged
    document, and the last has no other.
    """
    (folder / "qrels").mkdir(parents=True)
    texts = {
        f"{side}{number:02d}": " ".join(WORDS[(number * step + offset) % 12] for step in range(1, 6))
        for number in range(12)
        for side, offset in (("pro", 0), ("con", 1))
    }
    rows = [{"_id": name, "title": f"topic {name[3:]}", "text": text} for name, text in texts.items()]
    queries = [{"_id": name, "text": f" {text}"} for name, text in texts.items() if name.startswith("pro")]
    qrels = ["query-id\tcorpus-id\tscore"]
    for number in range(12):
        if number < 11:
            qrels.append(f"pro{number:02d}\tcon{number:02d}\t1")
        if number % 3 == 2:
            qrels.append(f"pro{number:02d}\tgone{number:02d}\t1")
    (folder / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "queries.jsonl").write_text("".join(json.dumps(row) + "\n" for row in queries))
    (folder / "qrels" / "test.tsv").write_text("\n".join(qrels) + "\n")
    return folder
