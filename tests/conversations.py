"""A tiny folder of sessions: the queries of the tiny BEIR folder as rewrites of questions that mean little alone."""

from __future__ import annotations

import json
from pathlib import Path

from rankdistill.data import load
from rankdistill.sessions import Session, Turn, writing

TURNS_A_SESSION = 3


def write_tiny_sessions(tiny_beir: Path) -> Path:
    """`sessions.jsonl` into the folder; its judgements and documents stay, its queries become the questions."""
    data = load(tiny_beir)
    found, asked = [], []
    for split in data.splits:
        texts, qrels = data.queries(split), data.qrels(split)
        ids = list(texts)
        for start in range(0, len(ids), TURNS_A_SESSION):
            turns: list[Turn] = []
            for query_id in ids[start : start + TURNS_A_SESSION]:
                topic = texts[query_id].split()[-2]
                rewrites = {"human": (texts[query_id],), "auto": (f"the {topic}",)}
                question = f"is it {texts[query_id].split()[3]} {texts[query_id].split()[-1]}"
                asked.append({"_id": query_id, "text": question})
                turns.append(Turn("user", question, query_id, rewrites, qrels[query_id], {"topic": topic}))
                turns.append(Turn("system", f"the {topic} is old"))
            found.append(Session(f"{split}{start}", tuple(turns), split))
    writing.write(tiny_beir / "sessions.jsonl", found)
    (tiny_beir / "queries.jsonl").write_text("".join(json.dumps(row) + "\n" for row in asked))
    return tiny_beir
