"""Encoders from bundles, and bundles that were tampered with."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from rankdistill import space
from rankdistill.bundles import is_bundle, open_document_encoder, open_query_encoder
from rankdistill.bundles.making import bundle
from rankdistill.errors import DataError, ModelReferenceError, SpaceMismatchError
from rankdistill.inference import TextEncoder
from tests.towers import altered, shifted

TEXTS = ["what is the deep river", "bread"]


@pytest.fixture
def copied(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "copied"))


def test_each_side_is_encoded_by_its_tower(made: Path, student: str, teacher: str) -> None:
    of_queries, of_documents = (
        open_query_encoder(str(made), "torch"),
        open_document_encoder(str(made), "torch"),
    )
    np.testing.assert_array_equal(of_queries.encode_queries(TEXTS), TextEncoder(student, "torch").encode_queries(TEXTS))
    np.testing.assert_array_equal(
        of_documents.encode_documents(TEXTS), TextEncoder(teacher, "torch").encode_documents(TEXTS)
    )
    space.require_searchable(of_documents.space, of_queries.query_spaces)


def test_a_model_reference_opens_as_it_is(teacher: str) -> None:
    assert not is_bundle(teacher)
    assert open_query_encoder(teacher, "torch").space == open_document_encoder(teacher, "torch").space


def test_queries_of_the_document_tower_itself_are_cut_as_its_documents(teacher: str, student: str) -> None:
    documents = TextEncoder(teacher, "torch", max_length=16).space
    assert open_query_encoder(teacher, "torch", documents=documents).space == documents
    assert open_query_encoder(student, "torch", documents=documents).max_length == 64


def test_an_edited_space_is_refused_even_with_its_fingerprint(copied: Path) -> None:
    found = space.read(copied)
    assert found is not None
    path = copied / "space.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"normalised": False}))
    with pytest.raises(SpaceMismatchError, match=r"space\.json"):
        open_query_encoder(str(copied), "torch")
    space.write(copied, space.Space(found.dimension, False, found.similarity, found.prompts, found.document_tower))
    with pytest.raises(SpaceMismatchError, match="manifest"):
        open_document_encoder(str(copied), "torch")


@pytest.mark.parametrize("name", ["query/config.json", "query/space.json", "query/model.safetensors"])
def test_an_edited_query_tower_is_refused(copied: Path, name: str) -> None:
    (copied / name).write_bytes((copied / name).read_bytes() + b" ")
    with pytest.raises(SpaceMismatchError, match=name):
        open_query_encoder(str(copied), "torch")


def test_a_file_added_to_the_query_tower_is_refused(copied: Path) -> None:
    (copied / "query" / "adapter_config.json").write_text("{}")
    with pytest.raises(SpaceMismatchError, match="added"):
        open_query_encoder(str(copied), "torch")


def test_an_edited_pointer_is_refused(copied: Path, stranger: str) -> None:
    path = copied / "document" / "pointer.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"reference": stranger}))
    with pytest.raises(SpaceMismatchError, match=r"pointer\.json"):
        open_document_encoder(str(copied), "torch")


def test_a_document_model_that_changed_under_its_name_is_refused(student: str, teacher: str, tmp_path: Path) -> None:
    moved = tmp_path / "teacher"
    shutil.copytree(teacher, moved)
    out = bundle(student, str(moved), tmp_path / "out", onnx=False, router=False)
    shutil.rmtree(moved)
    with pytest.raises(ModelReferenceError, match="--include-document-model"):
        open_document_encoder(str(out), "torch")
    assert len(open_query_encoder(str(out), "torch").encode_queries(TEXTS)) == 2
    altered(teacher, moved, shifted(0.2))
    with pytest.raises(SpaceMismatchError, match="bring the old model back"):
        open_document_encoder(str(out), "torch")


def test_an_unfinished_bundle_is_no_model(copied: Path) -> None:
    (copied / "manifest.json").unlink()
    for opened in (open_query_encoder, open_document_encoder):
        with pytest.raises(DataError, match="no manifest"):
            opened(str(copied), "torch")
