"""How fast a teacher encodes and a student cut out of it trains, measured on a few texts."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

SAMPLE, ROWS, MAX_LENGTH, STEPS = 48, 32, 128, 3
"""Texts that are encoded; texts of a training step, and tokens of each; steps, of which the first does not count."""


@dataclass(frozen=True)
class Speed:
    """What was measured here and now; a busy machine is slower.

    Args:
        encoded: texts that the teacher encodes a second.
        step: seconds of a training step of `ROWS` texts of `MAX_LENGTH` tokens.
        student_encoded: texts that the student encodes a second.
    """

    encoded: float
    step: float
    student_encoded: float


def measure(model: str, keep_layers: Sequence[int] | None, texts: Sequence[str]) -> Speed:
    """The speed of `model` as a teacher and, cut to `keep_layers`, as a student.

    Args:
        model: a reference of a dense model.
        keep_layers: of the student; None: all.
        texts: like those that will be encoded; some of them are read.

    Raises:
        ModelReferenceError: there is no such model, or it is of an unknown architecture.
        ConfigError: a layer that it has not.
    """
    import torch

    from rankdistill.inference import TextEncoder
    from rankdistill.students import dense, inherit

    sample = list(texts[:SAMPLE])
    teacher = TextEncoder(model)
    teacher.encode_documents(sample[:4])  # the first texts cost what comes once
    encoded = len(sample) / _seconds(lambda: teacher.encode_documents(sample))
    student = dense.load(model)
    whole = _seconds(lambda: student.encode(sample, show_progress_bar=False))
    if keep_layers is not None:
        inherit.keep(student, keep_layers)
    # A student is encoded by what makes the teacher fast, and faster than it by as much as both differ without that.
    student_encoded = encoded * whole / _seconds(lambda: student.encode(sample, show_progress_bar=False))
    student.max_seq_length = min(student.max_seq_length or MAX_LENGTH, MAX_LENGTH)
    rows = [sample[place % len(sample)] for place in range(ROWS)]
    trained = [parameter for parameter in student.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=0.0)
    student.train()

    def step() -> None:
        features = {
            name: value.to(student.device) if isinstance(value, torch.Tensor) else value
            for name, value in student.preprocess(rows).items()
        }
        student(features)["sentence_embedding"].pow(2).mean().backward()
        optimizer.step()
        optimizer.zero_grad()

    step()  # the first costs what comes once
    return Speed(encoded, min(_seconds(step) for _ in range(STEPS - 1)), student_encoded)


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return max(time.perf_counter() - started, 1e-6)
