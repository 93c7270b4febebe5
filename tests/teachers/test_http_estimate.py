"""What an HTTP teacher would take, reckoned before anything is sent."""

from __future__ import annotations

import pytest

from rankdistill.teachers.http.estimate import estimate
from rankdistill.teachers.http.settings import Prices

FREE = Prices()
SAMPLE = [("q" * 40, "d" * 360)] * 3


def reckon(
    pairs: int, queries: int, max_batch: int, prices: Prices = FREE, rate: float | None = None
) -> dict[str, str]:
    return estimate(pairs, queries, SAMPLE, max_batch=max_batch, around=0, prices=prices, requests_per_minute=rate)


@pytest.mark.parametrize(
    ("pairs", "queries", "max_batch", "requests"),
    [(1000, 10, 32, "40"), (1000, 10, 1000, "10"), (1000, 10, 1, "1,000"), (5, 10, 32, "5"), (1, 1, 1, "1")],
)
def test_requests_hold_documents_of_one_query(pairs: int, queries: int, max_batch: int, requests: str) -> None:
    assert reckon(pairs, queries, max_batch)["requests"].startswith(f"about {requests},")


def test_cost_is_the_sum_of_what_is_billed() -> None:
    assert "about 20.00 for 40 requests;" in reckon(1000, 10, 32, Prices(per_request=0.5))["cost"]
    assert "about 200.00 for 100,000 tokens" in reckon(1000, 10, 32, Prices(per_1k_tokens=2))["cost"]
    assert "about 0.12 for 40 searches" in reckon(1000, 10, 32, Prices(per_1k_searches=3))["cost"]
    assert "about 0.06 for 20 searches" in reckon(2000, 10, 1000, Prices(per_1k_searches=3))["cost"]


def test_what_is_unknown_is_said_to_be() -> None:
    told = reckon(1000, 10, 32)
    assert "unknown" in told["time"]
    assert "`prices`" in told["cost"]
    assert "at least 10.0 minutes" in reckon(1000, 10, 32, rate=4)["time"]
