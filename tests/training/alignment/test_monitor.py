"""The teacher's vectors of dev texts, and the triangle."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rankdistill.data import Dataset
from rankdistill.errors import SpaceMismatchError
from rankdistill.evaluation.evaluating import evaluate_run
from rankdistill.inference import TextEncoder
from rankdistill.students import dense
from rankdistill.training.alignment import config as settings
from rankdistill.training.alignment import monitor, targets
from rankdistill.training.alignment.dev_sets import Dev
from tests.training.alignment.conftest import MemoryEmbeddings

NOTHING = np.empty(0, dtype=np.int64)


def test_absent_texts_are_encoded_once_and_kept(
    tiny_embeddings: MemoryEmbeddings, tiny_encoder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [tiny_embeddings.rows[3][2], "a bright new river", tiny_embeddings.rows[0][2]]
    found = targets.TeacherVectors(tiny_embeddings, tmp_path).of(texts, "query")
    assert np.array_equal(found[[0, 2]], tiny_embeddings.array[[3, 0]])
    assert np.allclose(found, TextEncoder(tiny_encoder).encode_queries(texts), atol=1e-5)
    monkeypatch.setattr(targets, "TextEncoder", lambda *args, **kwargs: pytest.fail("loaded again"))
    assert np.array_equal(targets.TeacherVectors(tiny_embeddings, tmp_path).of(texts, "query"), found)


def test_another_model_at_the_teachers_place_is_refused(tiny_embeddings: MemoryEmbeddings, tmp_path: Path) -> None:
    other = replace(tiny_embeddings, space=replace(tiny_embeddings.space, document_tower="of another"))
    with pytest.raises(SpaceMismatchError, match="document_tower"):
        targets.TeacherVectors(other, tmp_path).of(["a bright new river"], "document")


def test_the_triangle_of_the_teacher_itself_is_one_point_and_what_evaluation_measures(
    tiny_embeddings: MemoryEmbeddings, tiny_encoder: str, tiny_data: Dataset, tmp_path: Path
) -> None:
    config = settings.read(None)
    watch = monitor.build(tiny_embeddings, NOTHING, [Dev(tiny_data, "dev")], config, tmp_path)
    found = watch(dense.load(tiny_encoder))
    encoder = TextEncoder(tiny_encoder)
    queries, contents = tiny_data.queries("dev"), tiny_data.contents
    scores = encoder.encode_queries(list(queries.values())) @ encoder.encode_documents(list(contents.values())).T
    run = {
        query_id: dict(zip(contents, row.tolist(), strict=True)) for query_id, row in zip(queries, scores, strict=True)
    }
    expected = evaluate_run(run, tiny_data.qrels("dev")).means["ndcg_at_10"]
    for corner in ("standard", "asymmetric", "teacher"):
        assert found[f"tiny/dev/{corner}_ndcg_at_10"] == pytest.approx(expected, abs=1e-6)
    assert found[monitor.BEST] == found["tiny/dev/asymmetric_ndcg_at_10"]


def test_nothing_to_watch_is_no_evaluation(tiny_embeddings: MemoryEmbeddings) -> None:
    assert not monitor.Monitor(tiny_embeddings, NOTHING, {}).measures


def test_damaged_vectors_are_encoded_again(
    tiny_embeddings: MemoryEmbeddings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    found = targets.TeacherVectors(tiny_embeddings, tmp_path).of(["a bright new river"], "query")
    (path,) = tmp_path.glob("*.npy")
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 0x40]))
    assert np.array_equal(targets.TeacherVectors(tiny_embeddings, tmp_path).of(["a bright new river"], "query"), found)
    assert f"{path.name} is damaged: it is made again" in caplog.text
    assert path.read_bytes() == whole
