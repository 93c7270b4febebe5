"""Pickled scores: read only when allowed, and nothing in them is ever run."""

from __future__ import annotations

import gzip
import os
import pickle
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rankdistill.errors import ConfigError, DataError
from rankdistill.formats.importing import Imported
from tests.formats.conftest import Import, scores_of

SCORES = {1: {10: 2.5, 11: -1.25}, 2: {10: 0.5}}
ROWS = {("1", "10"): 2.5, ("1", "11"): -1.25, ("2", "10"): 0.5}


class Calls:
    """Pickles as a call of any function."""

    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self.call


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("compress", [False, True])
def test_plain_numbers_are_read(imported: Import, tmp_path: Path, protocol: int, compress: bool) -> None:
    data = pickle.dumps(SCORES, protocol=protocol)
    path = tmp_path / ("scores.pkl.gz" if compress else "scores.pkl")
    path.write_bytes(gzip.compress(data) if compress else data)
    assert scores_of(imported("ce-scores", path, allow_pickle=True)) == ROWS


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.float16, ">f4"])
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_numpy_scalars_are_decoded_without_numpy(imported: Import, tmp_path: Path, kind: Any, protocol: int) -> None:
    make = np.dtype(kind).type if isinstance(kind, str) else kind
    scores = {np.int64(q): {np.int32(d): make(score) for d, score in docs.items()} for q, docs in SCORES.items()}
    path = tmp_path / "scores.pkl"
    path.write_bytes(pickle.dumps(scores, protocol=protocol))
    assert scores_of(imported("ce-scores", path, allow_pickle=True)) == ROWS


def test_without_the_flag_it_is_not_even_opened(run_import: Callable[..., Imported], tmp_path: Path) -> None:
    path = tmp_path / "scores.pkl"
    path.write_bytes(pickle.dumps(SCORES))
    with pytest.raises(ConfigError, match="--allow-pickle"):
        run_import("ce-scores", path)


@pytest.mark.parametrize(
    "make",
    [
        lambda path: Calls(os.system, f"touch {path}"),
        lambda path: Calls(eval, f"open({str(path)!r}, 'w')"),
        lambda path: Calls(subprocess.Popen, ["touch", str(path)]),
        lambda path: {1: {10: Calls(os.mkdir, str(path))}},
        lambda path: np.array([1.0]),
    ],
)
def test_nothing_is_run(run_import: Callable[..., Imported], tmp_path: Path, make: Callable[[Path], object]) -> None:
    trace, path = tmp_path / "trace", tmp_path / "scores.pkl"
    path.write_bytes(pickle.dumps(make(trace)))
    with pytest.raises(DataError, match="only plain numbers"):
        run_import("ce-scores", path, allow_pickle=True)
    assert not trace.exists()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"\x80\x02Nr\xff\xff\xff\x7f.", "more memory"),
        (b"Np2000000000\n.", "more memory"),
        (b"\x80\x05\x96\x00\x00\x00\x00\x01\x00\x00\x00.", "cut short"),
        (b"\x80\x04\x95\x00\x00\x00\x00\x00\x01\x00\x00N.", "cut short"),
        (b"\xff", "no instruction"),
        (b"", "Ran out of input"),
        (pickle.dumps(SCORES)[:-7], "scores.pkl"),
        (b"no pickle at all", "scores.pkl"),
        (pickle.dumps([1, 2]), "not an object"),
        (pickle.dumps({1: 2.0}), "not an object"),
        (pickle.dumps({1: {10: None}}), "no number"),
        (pickle.dumps({1: {10: float("nan")}}), "not finite"),
        (pickle.dumps({1: {(1, 2): 1.0}}), "neither text nor a whole number"),
    ],
)
def test_other_pickles_are_refused(run_import: Callable[..., Imported], tmp_path: Path, data: bytes, said: str) -> None:
    path = tmp_path / "scores.pkl"
    path.write_bytes(data)
    with pytest.raises(DataError, match=said):
        run_import("ce-scores", path, allow_pickle=True)
    assert not (tmp_path / "imported").exists()
