"""Whether size and speed were measured."""

from __future__ import annotations

from rankdistill.evaluation.verdict.records import Finding, Status
from rankdistill.publishing.evidence import Evidence


def check(evidence: Evidence) -> Finding:
    """Refuse a model whose size or speed nobody can tell."""
    size, latency = evidence.footprint, evidence.latency
    lacking = [what for what, there in (("size", size.model_bytes), ("speed", latency)) if there is None]
    if lacking or latency is None or size.model_bytes is None:
        return Finding(
            check="costs",
            status=Status.REFUSE,
            judged=False,
            reason="whose costs are not known",
            sentence=f"{' and '.join(lacking)} not measured; --latency 50 times 50 queries",
        )
    counted = f"{size.parameters:,} parameters, " if size.parameters is not None else ""
    return Finding(
        check="costs",
        status=Status.PASS,
        sentence=f"{counted}{size.model_bytes / 1e6:.1f} MB; a query takes {latency.p50:.1f} ms (median of "
        f"{latency.queries}, p99 {latency.p99:.1f}) on this machine",
        figures={
            "bytes": size.model_bytes,
            "parameters": size.parameters,
            "p50_ms": latency.p50,
            "p99_ms": latency.p99,
        },
    )
