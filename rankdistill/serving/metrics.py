"""What a server counts, for Prometheus: TEI's names and ours, summed over the workers of a server.

A worker counts into an array of float64 that all workers of the server can read, each into its own: no locks, no write
but an addition. prometheus-client's own way over processes must be set up before it is imported and calls every counter
`..._total`, which TEI's are not; so the samples are written here, in the text format.
"""

from __future__ import annotations

import mmap
import os
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from rankdistill.serving import refusals
from rankdistill.serving.contracts import ServedModel, Timing
from rankdistill.serving.refusals import Refusal

MEDIA_TYPE = b"text/plain; version=0.0.4; charset=utf-8"

_SECONDS = tuple(1e-5 * 1.5**step for step in range(40))
_POWERS = tuple(float(2**step) for step in range(18))

_RESPONSES = "rankdistill_http_responses_total"
_REFUSALS = [kind for kind in vars(refusals).values() if isinstance(kind, type) and issubclass(kind, Refusal)]

_COUNTERS = {
    "te_request_count": ("requests for inference", "method", ("single", "batch")),
    "te_request_success": ("requests for inference that were answered", "method", ("single", "batch")),
    "te_request_failure": (
        "requests for inference that were refused",
        "err",
        (*sorted({refusal.kind.lower() for refusal in _REFUSALS}), "left", "other"),
    ),
    "rankdistill_truncated_total": ("texts of which the model read only the beginning", "", ("",)),
    "rankdistill_cache_hits_total": ("texts answered from the cache", "", ("",)),
    "rankdistill_wrong_tower_total": ("requests for a tower that is not served, or that named none", "", ("",)),
    _RESPONSES: (
        "answers by status; 499: the client left before its answer",
        "status",
        (*map(str, sorted({200, 499, *(refusal.status for refusal in _REFUSALS)})), "other"),
    ),
}
_HISTOGRAMS = {
    "te_request_duration": ("seconds of a request", _SECONDS),
    "te_request_queue_duration": ("seconds that a request waited", _SECONDS),
    "te_request_tokenization_duration": ("seconds of tokenisation of a request", _SECONDS),
    "te_request_inference_duration": ("seconds of inference of a request", _SECONDS),
    "te_batch_next_size": ("texts of a batch", _POWERS),
    "te_batch_next_tokens": ("padded tokens of a batch", _POWERS),
}
_GAUGES = {"te_queue_size": "texts that wait"}


def _places() -> tuple[dict[tuple[str, str], int], dict[str, int], int]:
    """Where each value stands in a worker's array: counters, histograms' first, how many in all."""
    counters, histograms, used = {}, {}, 1  # the first is the worker's process id
    for name, (_, _, labels) in _COUNTERS.items():
        for label in labels:
            counters[name, label] = used
            used += 1
    for name in _GAUGES:
        counters[name, ""] = used
        used += 1
    for name, (_, bounds) in _HISTOGRAMS.items():
        histograms[name] = used
        used += len(bounds) + 2  # one beyond the last bound, and the sum
    return counters, histograms, used


_COUNTER, _HISTOGRAM, _LENGTH = _places()
_OBSERVED = {
    name: (first, _HISTOGRAMS[name][1], first + len(_HISTOGRAMS[name][1]) + 1) for name, first in _HISTOGRAM.items()
}
"""Where the first bucket stands, the bounds, where the sum stands."""

_PARTS = ("duration", "queue_duration", "tokenization_duration", "inference_duration")
_DURATIONS = tuple(_OBSERVED[f"te_request_{part}"] for part in _PARTS)


class _Array:
    """The values of one worker."""

    def __init__(self, file: Path | None) -> None:
        self.memory: mmap.mmap
        if file is None:
            self.memory = mmap.mmap(-1, _LENGTH * 8)
        else:
            with open(file, "a+b") as opened:
                opened.truncate(_LENGTH * 8)
                self.memory = mmap.mmap(opened.fileno(), _LENGTH * 8)
        self.values = memoryview(self.memory).cast("d")


class ServerMetrics:
    """The counters of a worker, and the text of all workers' together.

    Args:
        folder: where the workers of this server meet, one file each; None where there is one worker. One that replaces
            another takes its number, and counts on from it.
        worker: number of this one.
    """

    def __init__(self, folder: str | Path | None = None, worker: int = 0) -> None:
        self._folder = None if folder is None else Path(folder)
        self._array = _Array(None if self._folder is None else self._folder / f"worker-{worker}")
        self._values = self._array.values
        self._values[0] = os.getpid()
        self._values[_COUNTER["te_queue_size", ""]] = 0

    def queued(self, waiting: int) -> None:
        """`te_queue_size`."""
        self._values[_COUNTER["te_queue_size", ""]] = waiting

    def batch(self, size: int, tokens: int) -> None:
        """`te_batch_next_size`, `te_batch_next_tokens`."""
        self._observe("te_batch_next_size", size)
        self._observe("te_batch_next_tokens", tokens)

    def cache_hits(self, count: int) -> None:
        """`rankdistill_cache_hits_total`."""
        self._values[_COUNTER["rankdistill_cache_hits_total", ""]] += count

    def wrong_tower(self) -> None:
        """`rankdistill_wrong_tower_total`."""
        self._values[_COUNTER["rankdistill_wrong_tower_total", ""]] += 1

    def asked(self, texts: int) -> None:
        """A request for inference of that many texts came."""
        self._values[_COUNTER["te_request_count", "batch" if texts > 1 else "single"]] += 1

    def answered(self, texts: int, truncated: int, seconds: float, timing: Timing) -> None:
        """A request for inference was answered."""
        values = self._values
        values[_COUNTER["te_request_success", "batch" if texts > 1 else "single"]] += 1
        if truncated:
            values[_COUNTER["rankdistill_truncated_total", ""]] += truncated
        for (first, bounds, total), value in zip(
            _DURATIONS, (seconds, timing.queue, timing.tokenisation, timing.inference), strict=False
        ):
            values[first + bisect_left(bounds, value)] += 1
            values[total] += value

    def failed(self, kind: str) -> None:
        """A request for inference was refused; `kind` as in `Refusal.kind`, or `left`."""
        self._values[_COUNTER.get(("te_request_failure", kind.lower()), _OTHER_FAILURE)] += 1

    def responded(self, status: int) -> None:
        """`rankdistill_http_responses_total`."""
        self._values[_STATUS.get(status, _OTHER_STATUS)] += 1

    def text(self, models: Mapping[str, ServedModel]) -> bytes:
        """All workers' values in Prometheus's text format, and `rankdistill_bundle_info` of each model."""
        arrays = self._all()
        sums = [sum(column) for column in zip(*arrays, strict=True)]
        lines = [*_counter_lines(sums), *_histogram_lines(sums), *_info_lines(models)]
        lines += _process_lines([int(values[0]) for values in arrays])
        return "".join(f"{line}\n" for line in lines).encode()

    def _observe(self, name: str, value: float) -> None:
        values = self._values
        first, bounds, total = _OBSERVED[name]
        values[first + bisect_left(bounds, value)] += 1
        values[total] += value

    def _all(self) -> list[Sequence[float]]:
        if self._folder is None:
            return [self._values.tolist()]
        files = sorted(self._folder.glob("worker-*"))
        return [memoryview(file.read_bytes()).cast("d").tolist() for file in files]


_STATUS = {status: place for status in range(600) if (place := _COUNTER.get((_RESPONSES, str(status))))}
_OTHER_STATUS, _OTHER_FAILURE = _COUNTER[_RESPONSES, "other"], _COUNTER["te_request_failure", "other"]


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)


def _labels(labels: Mapping[str, str]) -> str:
    escaped = {
        name: value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n") for name, value in labels.items()
    }
    return "{" + ",".join(f'{name}="{value}"' for name, value in escaped.items()) + "}" if labels else ""


def _counter_lines(sums: Sequence[float]) -> Iterator[str]:
    for name, (help, label, values) in _COUNTERS.items():
        yield from (f"# HELP {name} {help}", f"# TYPE {name} counter")
        for value in values:
            yield f"{name}{_labels({label: value} if label else {})} {_number(sums[_COUNTER[name, value]])}"
    for name, help in _GAUGES.items():
        yield from (f"# HELP {name} {help}", f"# TYPE {name} gauge", f"{name} {_number(sums[_COUNTER[name, '']])}")


def _histogram_lines(sums: Sequence[float]) -> Iterator[str]:
    for name, (help, bounds) in _HISTOGRAMS.items():
        yield from (f"# HELP {name} {help}", f"# TYPE {name} histogram")
        first, seen = _HISTOGRAM[name], 0.0
        for place, bound in enumerate((*bounds, float("inf"))):
            seen += sums[first + place]
            yield f'{name}_bucket{{le="{"+Inf" if bound == float("inf") else repr(bound)}"}} {_number(seen)}'
        yield f"{name}_sum {_number(sums[first + len(bounds) + 1])}"
        yield f"{name}_count {_number(seen)}"


def _info_lines(models: Mapping[str, ServedModel]) -> Iterator[str]:
    name = "rankdistill_bundle_info"
    yield from (f"# HELP {name} the models that are served", f"# TYPE {name} gauge")
    for model in models.values():
        told = {
            "model": model.name,
            "kind": model.kind,
            "space": model.space.fingerprint if model.space else "",
            "weights": model.weights,
            "backend": model.backend,
            "precision": model.precision,
        }
        yield f"{name}{_labels(told)} 1"


def _process_lines(processes: Sequence[int]) -> Iterator[str]:
    """Memory, CPU and open files of the workers that run, summed: prometheus-client's `process_...`."""
    from prometheus_client import ProcessCollector
    from prometheus_client.registry import CollectorRegistry

    summed: dict[str, float] = {}
    told: dict[str, tuple[str, str]] = {}
    for process in processes:
        for metric in ProcessCollector(pid=partial(int, process), registry=CollectorRegistry()).collect():
            for sample in metric.samples:
                told[sample.name] = (metric.documentation, metric.type)
                summed[sample.name] = summed.get(sample.name, 0.0) + sample.value
    summed.pop("process_start_time_seconds", None)
    for name, value in summed.items():
        yield from (f"# HELP {name} {told[name][0]}", f"# TYPE {name} {told[name][1]}", f"{name} {_number(value)}")
