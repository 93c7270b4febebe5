"""Every model that is written tells the length that it reads, in every file that another library goes by."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rankdistill
from rankdistill.errors import OutputError
from rankdistill.inference.loading import (
    load_cross_encoder,
    load_encoder,
    load_multi_vector_encoder,
    load_sparse_encoder,
)
from rankdistill.inference.saving import copy_model, save_model, tell_length, told_lengths
from rankdistill.models import resolve
from tests.inference.conftest import FAMILIES, POSITIONS

LOADERS = {
    "tiny_encoder": load_encoder,
    "tiny_cross_encoder": load_cross_encoder,
    "tiny_splade": load_sparse_encoder,
    "tiny_multi_vector": load_multi_vector_encoder,
}
FILES = {"tokenizer_config.json", "tokenizer.json", "sentence_bert_config.json"}
TEXT = "the deep river is slow and bright in the north " * 9


def load(model: str, fixture: str, length: int | None = None) -> Any:
    return LOADERS[fixture](resolve(model), "cpu", length)


@pytest.mark.parametrize("fixture", LOADERS)
def test_a_length_that_was_set_is_told_in_every_file(
    fixture: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    save_model(load(request.getfixturevalue(fixture), fixture, 24), tmp_path)
    told = told_lengths(tmp_path)
    assert set(told) >= FILES
    assert set(told.values()) == {24}
    again = load(str(tmp_path), fixture)
    assert again.max_seq_length == 24


@pytest.mark.parametrize("family", FAMILIES)
def test_a_table_of_positions_ends_it_where_nothing_else_does(family: str, ending: Any, tmp_path: Path) -> None:
    save_model(load_encoder(resolve(ending(family)), "cpu", None), tmp_path)
    assert set(told_lengths(tmp_path).values()) == {POSITIONS}


def test_the_plain_tokenizers_library_cuts_where_the_model_does(tiny_encoder: str, tmp_path: Path) -> None:
    from tokenizers import Tokenizer

    model = load(tiny_encoder, "tiny_encoder", 24)
    save_model(model, tmp_path)
    alone = Tokenizer.from_file(str(tmp_path / "tokenizer.json")).encode(TEXT)
    assert alone.ids == model.preprocess([TEXT])["input_ids"][0].tolist()
    assert len(alone.ids) == 24


def test_a_model_that_tells_three_lengths_is_copied_with_one(tiny_encoder: str, tmp_path: Path) -> None:
    """So is all-MiniLM-L6-v2: 256 is read, and 512 and 128 stand in the tokeniser's files."""
    source = tmp_path / "source"
    shutil.copytree(tiny_encoder, source)
    tell_length(source, 24)
    for name, key, value in (
        ("tokenizer_config.json", "model_max_length", 64),
        ("tokenizer_config.json", "max_length", 16),
        ("tokenizer.json", "truncation", None),
    ):
        content = json.loads((source / name).read_text())
        (source / name).write_text(json.dumps(content | {key: value}))
    reference = resolve(str(source))
    before = load_encoder(reference, "cpu", None)
    assert before.max_seq_length == 24
    copy_model(source, reference.files(), tmp_path / "copy", before.max_seq_length)
    assert set(told_lengths(tmp_path / "copy").values()) == {24}
    assert len(told_lengths(tmp_path / "copy")) == len(FILES) + 1
    after = load_encoder(resolve(str(tmp_path / "copy")), "cpu", None)
    np.testing.assert_array_equal(after.encode([TEXT]), before.encode([TEXT]))


def test_what_is_true_keeps_its_bytes(tiny_encoder: str, tmp_path: Path) -> None:
    save_model(load(tiny_encoder, "tiny_encoder"), tmp_path / "one")
    reference = resolve(str(tmp_path / "one"))
    copy_model(reference.path, reference.files(), tmp_path / "two", 64)
    assert resolve(str(tmp_path / "two")).weights_hash == reference.weights_hash


def test_a_tokeniser_without_a_maximum_tells_none(tiny_encoder: str, tmp_path: Path) -> None:
    shutil.copytree(tiny_encoder, tmp_path / "model")
    before = told_lengths(tmp_path / "model")
    for length in (None, 10**30):
        tell_length(tmp_path / "model", length)
    assert told_lengths(tmp_path / "model") == before


def test_a_place_that_cannot_be_written_to_is_told(tiny_encoder: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        save_model(load(tiny_encoder, "tiny_encoder"), tmp_path / "file" / "model")


def test_models_are_written_here_alone() -> None:
    """Whoever calls the library's own method elsewhere writes a model whose files may tell another length."""
    package = Path(rankdistill.__file__).parent
    calls = re.compile(r"save_pretrained\(|\.save_to_hub\(|push_to_hub\(|(model|student|encoder|router)\)?\.save\(")
    found = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if calls.search(path.read_text(encoding="utf-8"))
    }
    assert found == {"inference/saving.py"}
