"""Lineages of the kinds of students: aligned, from a taught teacher, cut, bundled; LoTTE is never judged on."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import rankdistill
from rankdistill.evaluation.verdict.records import Status
from rankdistill.provenance.atlas import atlas_under
from rankdistill.publishing import mteb_model, settings
from rankdistill.publishing.checks import training_data
from rankdistill.publishing.evidence import Evidence, TaskFile, model_folder
from rankdistill.publishing.lineage import DOCUMENTS, QUERIES, START, TEACHER, Lineage, trace
from rankdistill.verbs.inherit import inherit
from tests.conftest import write_tiny_beir
from tests.recorded import change_manifest


def roles(lineage: Lineage) -> dict[str, list[str]]:
    """Name of a model's folder -> its roles."""
    return {Path(one.called).name: sorted(one.roles) for one in lineage.parents.values()}


@pytest.fixture(scope="module")
def aligned(tmp_path_factory: pytest.TempPathFactory, six_layers: str) -> Path:
    """A folder with the collection, vectors, a cut model, its aligned student and their bundle."""
    folder = tmp_path_factory.mktemp("aligned")
    data = write_tiny_beir(folder / "tiny")
    write_tiny_beir(folder / "judged")
    with (folder / "judged" / "queries.jsonl").open("a") as queries:
        queries.write('{"_id": "more", "text": "one more"}\n')
    shutil.copytree(six_layers, folder / "six")
    vectors = rankdistill.embed(data, folder / "six", folder / "vectors", judged=folder / "judged")
    cut = inherit(folder / "six", [0, 5], folder / "cut")
    student = rankdistill.train(None, vectors, cut, folder / "student", steps=2, batch_size=2)
    rankdistill.bundle(student, folder / "six", folder / "bundle", onnx=False)
    return folder


def test_an_aligned_student_comes_from_vectors_their_teacher_and_the_cut_models_own_model(aligned: Path) -> None:
    found = trace(aligned / "student", atlas_under([aligned]))
    assert found.missing == []
    assert roles(found) == {"six": sorted([START, TEACHER]), "cut": [START]}
    assert [one.called for one in found.sources.values()] == ["tiny"], "what is judged alone gave no text"
    (texts,) = found.texts
    assert len(list(texts.documents())) == 40
    assert len(set(texts.queries())) > 12


def test_a_collection_that_has_another_name_by_now_counts_too(aligned: Path, tmp_path: Path) -> None:
    for name in ("vectors", "cut", "six"):
        shutil.copytree(aligned / name, tmp_path / name)
    shutil.copytree(aligned / "tiny", tmp_path / "renamed")
    found = trace(aligned / "student", atlas_under([tmp_path]))
    assert "renamed" in [one.called for one in found.sources.values()]


def test_a_bundle_comes_from_both_towers(aligned: Path) -> None:
    found = trace(aligned / "bundle", atlas_under([aligned]))
    assert found.missing == []
    assert roles(found) == {"student": [QUERIES], "six": sorted([START, TEACHER, DOCUMENTS]), "cut": [START]}


def test_places_that_a_command_names_are_looked_into(aligned: Path, tmp_path: Path) -> None:
    alone = tmp_path / "student"
    shutil.copytree(aligned / "student", alone)
    assert len(trace(alone, atlas_under([alone])).missing) == 2
    named = f"--embeddings {aligned / 'vectors'} --student {aligned / 'cut'} --dev-data={aligned / 'tiny'}"
    change_manifest(alone, command=f"rankdistill train {named}")
    found = trace(alone, atlas_under([alone]))
    assert found.missing == []


def test_a_taught_teacher_and_what_it_was_taught_with_count(tmp_path: Path, tiny_bert: Path, tiny_encoder: str) -> None:
    data = write_tiny_beir(tmp_path / "tiny")
    candidates = rankdistill.mine(data, tmp_path / "candidates", depth=10)
    taught = rankdistill.teach(
        data, candidates, tiny_encoder, tmp_path / "taught", steps=1, batch_size=2, bf16=False, allow_worse=True
    )
    store = rankdistill.score(data, taught, candidates, tmp_path / "store")
    student = rankdistill.train(data, store, tiny_encoder, tmp_path / "student", steps=1, batch_size=2, check="off")
    found = trace(Path(student), atlas_under([tmp_path, Path(tiny_encoder)]))
    assert found.missing == []
    assert roles(found) == {"taught": [TEACHER], Path(tiny_encoder).name: sorted([START, f"{START} of a teacher"])}
    assert sorted(one.where for one in found.texts) == ["store", "tiny train"]
    asked = next(one for one in found.texts if one.where == "store").queries()
    assert set(asked) <= set(rankdistill.open(data).queries("train").values())


@pytest.mark.slow
def test_the_router_of_a_bundle_passes_the_mock_run_as_it_is_published(aligned: Path) -> None:
    model = model_folder(aligned / "bundle")
    meta = mteb_model.published_meta(
        {"embed_dim": 48, "use_instructions": False},
        aligned / "bundle",
        model,
        "org/b",
        "0" * 40,
        settings.Details(),
        [],
        None,
    )
    assert meta.model_type == ["router"]
    failed, ran = mteb_model.mock_run(aligned / "bundle", model, meta)
    assert failed == {}
    assert ran > 20
    (overlay,) = mteb_model.overlays(aligned / "bundle", model).values()
    assert '"default_route": "document"' in overlay


def test_a_student_of_leafs_published_data_is_never_judged_on_lotte() -> None:
    class Meta:
        def get_training_datasets(self) -> set[str]:
            return {"LoTTE"}

    task = TaskFile("LoTTE", Path("LoTTE.json"), {}, None, {})
    evidence = Evidence(
        Path(), "org/a", "0" * 40, settings.Details(), [task], {}, Lineage(None, {}, {}, [], []),
        training_data_disclosed(), {}, {}, Meta(), None,  # type: ignore[arg-type]
    )  # fmt: skip
    found = training_data.check(evidence)
    assert found.status == Status.REFUSE
    assert "LoTTE is judged on" in found.sentence


def training_data_disclosed() -> object:
    """A disclosure that names LoTTE."""
    from rankdistill.publishing.disclosure import Disclosure

    return Disclosure({"LoTTE": ["training data of LEAF, teacher"]}, [], None)
