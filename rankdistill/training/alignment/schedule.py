"""The learning rate over a run: linear from the peak to its end in each of several cycles."""

from __future__ import annotations


def share_of_peak(step: int, steps: int, cycles: int, final_share: float, warmup_steps: int = 0) -> float:
    """Share of the peak rate at optimiser step `step`, counted from 0.

    In each of `cycles` equal parts of the run it falls linearly from 1 to `final_share`, which the last step of the
    part reaches; in the first `warmup_steps` of the run it rises from 0.

    Source: LEAF, arXiv 2509.12539 (three cycles, final share 0.1, no warm-up).
    """
    if step < warmup_steps:
        return (step + 1) / (warmup_steps + 1)
    cycle = min(step, steps - 1) * cycles // steps
    first = -(-cycle * steps // cycles)
    last = -(-(cycle + 1) * steps // cycles) - 1
    done = (min(step, steps - 1) - first) / max(1, last - first)
    return 1.0 + (final_share - 1.0) * done
