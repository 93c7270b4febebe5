"""What scoring through an HTTP API would take and cost, reckoned without sending anything."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

from rankdistill.teachers.http.settings import Prices
from rankdistill.teachers.http.usage import Usage

CHARACTERS_A_TOKEN = 4
"""Of English text, roughly."""

DOCUMENTS_A_SEARCH = 100
"""What Cohere bills as one search; it counts documents of more than 500 tokens several times."""


def estimate(
    pairs: int,
    queries: int,
    sample: Sequence[tuple[str, str]],
    *,
    max_batch: int,
    around: int,
    prices: Prices,
    requests_per_minute: float | None,
) -> dict[str, str]:
    """Requests, time and cost, each with where it comes from.

    Args:
        pairs: to be scored.
        queries: distinct ones among them; a request holds documents of one.
        sample: some of the pairs, for the length of their texts.
        max_batch: documents a request at most.
        around: characters that each pair gets around it.
        prices: of an answer.
        requests_per_minute: the rate limit; None for none.
    """
    batches = ceil(ceil(pairs / max(1, queries)) / max_batch)
    requests = max(ceil(pairs / max_batch), min(pairs, queries * batches))
    documents = min(max_batch, ceil(pairs / max(1, requests)))
    characters = sum(len(query) + len(document) for query, document in sample) / max(1, len(sample)) + around
    tokens = round(pairs * characters / CHARACTERS_A_TOKEN)
    usage = Usage(requests, tokens=tokens, searches=requests * ceil(documents / DOCUMENTS_A_SEARCH))
    shown = {"requests": f"about {requests:,}, of up to {max_batch:,} documents of one query"}
    if requests_per_minute is not None:
        minutes = requests / requests_per_minute
        shown["time"] = f"at least {minutes:,.1f} minutes at {requests_per_minute:g} requests a minute"
    else:
        shown["time"] = "unknown: nothing was sent to measure it"
    return shown | _cost(usage, prices)


def _cost(usage: Usage, prices: Prices) -> dict[str, str]:
    if prices == Prices():
        return {"cost": "unknown: the teacher's settings give no `prices`"}
    billed = {
        f"{usage.requests:,} requests": prices.per_request,
        f"{usage.tokens:,} tokens ({CHARACTERS_A_TOKEN} characters each)": prices.per_1k_tokens,
        f"{usage.searches:,} searches": prices.per_1k_searches,
    }
    parts = ", ".join(name for name, price in billed.items() if price)
    return {"cost": f"about {usage.cost(prices):,.2f} for {parts}; nothing was sent"}
