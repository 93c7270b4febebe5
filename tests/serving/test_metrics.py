"""What is counted, as Prometheus's own parser reads it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from rankdistill.serving.app import create_app
from rankdistill.serving.contracts import Metrics, Timing
from rankdistill.serving.metrics import ServerMetrics
from tests.serving.fakes import FakeHolder, FakeModel, ask

NAMES = (
    "te_request_count",
    "te_request_success",
    "te_request_failure",
    "te_request_duration",
    "te_request_queue_duration",
    "te_request_tokenization_duration",
    "te_request_inference_duration",
    "te_queue_size",
    "te_batch_next_size",
    "te_batch_next_tokens",
    "rankdistill_truncated_total",
    "rankdistill_cache_hits_total",
    "rankdistill_wrong_tower_total",
    "rankdistill_bundle_info",
    "process_resident_memory_bytes",
)


def _samples(text: bytes) -> dict[tuple[str, str], float]:
    """(name, labels' values) -> value; the parser calls every counter `..._total`, whatever it was called."""
    found = {}
    for family in text_string_to_metric_families(text.decode()):
        for sample in family.samples:
            found[sample.name, ",".join(sample.labels.values())] = sample.value
    return found


def test_names_are_tei_s_and_ours() -> None:
    """Every one is there from the start, with its help and its type."""
    text = ServerMetrics().text({"tiny": FakeModel()}).decode()
    for name in NAMES:
        assert f"# TYPE {name} " in text, name
        assert f"# HELP {name} " in text, name
    assert '\nte_request_count{method="single"} 0\n' in text
    assert 'rankdistill_bundle_info{model="tiny",kind="dense",space="' in text


def test_requests_are_counted_by_what_became_of_them() -> None:
    """Answered, refused, cut, for the wrong tower."""
    app = create_app(FakeHolder(FakeModel(sides=("query",))), metrics=ServerMetrics())
    ask(app, "/v1/embeddings", {"input": "a river"})
    ask(app, "/embed", {"inputs": ["a", "river " * 30]})
    ask(app, "/embed", {"inputs": "a", "prompt_name": "document"})
    ask(app, "/embed", {"inputs": ""})
    ask(app, "/embed", {"inputs": "river " * 30, "truncate": False})
    samples = _samples(ask(app, "/metrics").body)
    assert samples["te_request_count_total", "single"] == 4
    assert samples["te_request_count_total", "batch"] == 1
    assert samples["te_request_success_total", "single"] == samples["te_request_success_total", "batch"] == 1
    assert samples["te_request_failure_total", "validation"] == 1
    assert samples["te_request_failure_total", "empty"] == 1
    failures = sum(value for (name, _), value in samples.items() if name == "te_request_failure_total")
    assert failures == 3
    assert samples["te_request_failure_total", "tokenizer"] == 1
    assert samples["rankdistill_truncated_total", ""] == 1
    assert samples["rankdistill_wrong_tower_total", ""] == 1
    assert samples["te_request_duration_count", ""] == 2
    assert samples["te_request_inference_duration_sum", ""] == pytest.approx(0.006)


def test_a_value_counts_up_to_its_bound_and_beyond() -> None:
    """A bucket holds what is at most its bound; the last holds all."""
    metrics = ServerMetrics()
    for size in (1, 2, 3, 10**9):
        metrics.batch(size, 5)
    samples = _samples(metrics.text({}))
    assert [samples["te_batch_next_size_bucket", bound] for bound in ("1.0", "2.0", "4.0", "131072.0", "+Inf")] == [
        1,
        2,
        3,
        3,
        4,
    ]
    assert samples["te_batch_next_size_sum", ""] == 6 + 10**9


def test_workers_are_summed_and_one_that_is_replaced_counts_on(tmp_path: Path) -> None:
    """Its number is its file; what waited in it does not wait any more."""
    first, second = ServerMetrics(tmp_path, 0), ServerMetrics(tmp_path, 1)
    engine: Metrics = first
    engine.cache_hits(2)
    engine.queued(5)
    second.cache_hits(3)
    second.answered(1, 0, 0.5, Timing())
    again = ServerMetrics(tmp_path, 0)
    again.cache_hits(1)
    for metrics in (second, again):
        samples = _samples(metrics.text({}))
        assert samples["rankdistill_cache_hits_total", ""] == 6
        assert samples["te_queue_size", ""] == 0
        assert samples["te_request_duration_sum", ""] == 0.5


def test_a_worker_that_died_has_no_memory(tmp_path: Path) -> None:
    """The processes that run are summed, and one that does not is left out."""
    metrics = ServerMetrics(tmp_path, 0)
    alone = _samples(metrics.text({}))["process_resident_memory_bytes", ""]
    other = ServerMetrics(tmp_path, 1)
    other._values[0] = 2**22 + 5  # beyond the greatest id of a process
    assert os.getpid() == int(metrics._values[0])
    assert _samples(metrics.text({}))["process_resident_memory_bytes", ""] == pytest.approx(alone, rel=0.2)


def test_metrics_are_told_while_the_server_warms_up() -> None:
    """Nothing is served, and it is not asked for."""
    holder = FakeHolder(FakeModel())
    holder.ready = (False, "warming")
    assert ask(create_app(holder), "/metrics").status == 200
