"""What a user's folder holds is not taken over by an artefact."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path
from typing import Any

import pytest

import rankdistill as rd
from rankdistill import files
from rankdistill.errors import ModelReferenceError, OutputError, StaleOutputError


@pytest.mark.parametrize(
    "call",
    [
        lambda data: rd.mine(data, data, depth=3),
        lambda data: rd.evaluate(data, "bm25", data),
        lambda data: rd.index(data, None, data, backend="bm25"),
    ],
)
def test_a_collection_is_no_place_for_an_artefact(call: Any, tiny_beir: Path) -> None:
    with pytest.raises(StaleOutputError, match="it holds a collection"):
        call(tiny_beir)
    assert not (tiny_beir / "manifest.json").exists()
    found = rd.mine(tiny_beir, tiny_beir / "candidates", depth=3)
    assert found.path == tiny_beir / "candidates"
    assert repr(rd.open(tiny_beir)).startswith("Dataset")


def test_a_folder_that_cannot_be_made_is_told(tiny_beir: Path, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="a folder that can be made"):
        rd.mine(tiny_beir, "/proc/none/out", depth=3)
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="a folder as the output"):
        rd.mine(tiny_beir, tmp_path / "file", depth=3)


def test_a_tilde_is_the_home_of_the_user(tiny_beir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    found = rd.mine("~/tiny", "~/candidates", depth=3)
    assert found.path == tmp_path / "candidates"
    assert rd.evaluate("~/tiny", "bm25", Path("~/out")).path == tmp_path / "out"
    with pytest.raises(ModelReferenceError, match=str(tmp_path / "candidates")):
        rd.index("~/tiny", "~/candidates", "~/index")
    assert not (tmp_path / "~").exists()


def test_a_store_is_read_wherever_the_process_goes(
    tiny_beir: Path, tiny_encoder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rd.score("tiny", tiny_encoder, rd.mine("tiny", "candidates", depth=3), "store")
    rd.embed("tiny", tiny_encoder, "embeddings")
    wanted = rd.open("store").to_polars()
    store, embeddings = rd.open("store"), rd.open("embeddings")
    monkeypatch.chdir("/")
    assert len(wanted) > 0
    assert store.to_polars().equals(wanted)
    assert len(embeddings.to_polars()) > 0
    assert len(embeddings.vectors()) > 0
    assert str(store.path) == "store"
    assert str(store).startswith("store: score store, finished")
    assert str(embeddings).startswith("embeddings: embedding store, finished")


def test_a_pipe_or_device_is_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(OutputError, match="a device or a pipe"):
        files.write_text(pipe, "text")
    assert pipe.is_fifo()


@pytest.mark.parametrize(
    ("code", "said"),
    [(errno.EACCES, "may read and write"), (errno.EPERM, "may read"), (errno.EISDIR, "^expected: a file$")],
)
def test_what_may_not_be_read_is_not_told_as_an_output(code: int, said: str) -> None:
    with pytest.raises(OutputError) as found, files.output_errors(Path()):
        raise OSError(code, os.strerror(code), "manifest.json")
    assert re.search(said, str(found.value), re.MULTILINE)
    assert "output" not in str(found.value)
    with pytest.raises(OutputError, match="output"), files.output_errors(Path("out")):
        raise OSError(code, os.strerror(code), "manifest.json")
