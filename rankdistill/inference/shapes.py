"""Few shapes of batches: ONNX Runtime and OpenVINO keep memory for every shape that they have met.

A batch is padded to a width and a number of rows from a grid: some hundreds of shapes in all, after which the memory
stays as it is. What is added is masked, and its rows are cut off again, so that a text's numbers
depend on neither.
"""

from __future__ import annotations

import numpy as np

from rankdistill.inference.framing import Features

EXACT_ROWS = 8
"""Numbers of rows up to which each is a shape of its own."""

SHORTEST = 4
"""The narrowest batch, and the step of the narrow ones."""

WIDTHS, ROWS = 8, 4
"""Steps of an octave: at most an eighth of the tokens of a row is added, and a quarter of the rows."""


def width_of(tokens: int, most: int) -> int:
    """The width of a batch whose longest row has so many tokens; beyond `most`, where a model's rows end, as it is."""
    return max(tokens, min(most, _up(tokens, WIDTHS * SHORTEST, SHORTEST, WIDTHS)))


def rows_of(rows: int) -> int:
    """The rows of a batch with so many texts."""
    return _up(rows, EXACT_ROWS, 1, ROWS)


def rows_within(rows: int) -> int:
    """The most rows that are on the grid and no more than `rows`."""
    step = _step(rows, EXACT_ROWS, 1, ROWS)
    return rows // step * step


def on_grid(features: Features, pad: int, most: int) -> Features:
    """The features of a batch, padded to a shape of the grid: masked tokens behind, copies of the first row below.

    Args:
        features: int64[rows, longest].
        pad: the token that stands for none.
        most: tokens of a row at most.
    """
    rows, width = features["input_ids"].shape
    wanted_rows, wanted_width = rows_of(rows), width_of(width, most)
    if (wanted_rows, wanted_width) == (rows, width):
        return features
    found = {}
    for name, values in features.items():
        padded = np.full((wanted_rows, wanted_width), pad if name == "input_ids" else 0, dtype=values.dtype)
        padded[:rows, :width] = values
        padded[rows:, :width] = values[0]
        found[name] = padded
    return found


def _up(number: int, fine: int, least: int, steps: int) -> int:
    step = _step(number, fine, least, steps)
    return -(-number // step) * step


def _step(number: int, fine: int, least: int, steps: int) -> int:
    """How far apart the grid is at `number`: `least` up to `fine`, and from there so that an octave has `steps`."""
    if number <= fine:
        return least
    octave = 1 << ((number - 1).bit_length() - 1)  # below or at number - 1: 33 to 64 share one
    return max(least, octave // steps)
