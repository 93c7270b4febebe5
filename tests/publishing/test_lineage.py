"""Lineages of the kinds of students: aligned, from a taught teacher, cut, bundled; LoTTE is never judged on."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rankdistill
from rankdistill.data import load as read_collection
from rankdistill.evaluation.verdict.records import Status
from rankdistill.models import resolve
from rankdistill.provenance.atlas import atlas_under
from rankdistill.publishing import mteb_model, settings
from rankdistill.publishing.checks import training_data
from rankdistill.publishing.disclosure import disclose
from rankdistill.publishing.evidence import Evidence, TaskFile, model_folder
from rankdistill.publishing.leakage.scanning import scan
from rankdistill.publishing.lineage import DOCUMENTS, GENERATOR, QUERIES, START, TEACHER, Lineage, _Tracing, of_a, trace
from rankdistill.verbs.inherit import inherit
from tests import tiny_task
from tests.conftest import write_tiny_beir
from tests.conversations import write_tiny_sessions
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


def test_the_start_of_a_teacher_that_is_a_student_of_ours_is_not_the_students_own(
    plain: tuple[Path, Path], tiny_encoder: str, tiny_cross_encoder: str, stranger: str, tmp_path: Path
) -> None:
    data, candidates = plain
    short: dict[str, Any] = {"steps": 1, "batch_size": 2, "check": "off"}
    first = rankdistill.score(data, tiny_cross_encoder, candidates, tmp_path / "first")
    earlier = rankdistill.train(data, first, stranger, tmp_path / "earlier", **short)
    second = rankdistill.score(data, {"kind": "embedding", "model": str(earlier.path)}, candidates, tmp_path / "second")
    later = rankdistill.train(data, second, tiny_encoder, tmp_path / "later", **short)
    around = atlas_under([tmp_path, *map(Path, (tiny_encoder, tiny_cross_encoder, stranger))])
    found = trace(Path(later), around)
    assert found.missing == []
    assert roles(found) == {
        Path(tiny_encoder).name: [START],
        "earlier": [TEACHER],
        Path(stranger).name: [of_a(START, TEACHER)],
        Path(tiny_cross_encoder).name: [of_a(TEACHER, TEACHER)],
    }
    known = {
        tiny_encoder: settings_of("sentence-transformers/all-MiniLM-L6-v2"),
        stranger: settings_of("sentence-transformers/all-mpnet-base-v2"),
        tiny_cross_encoder: settings_of(None),
    }
    told = disclose(found, settings.Details(models=known, collections={"tiny": []}))
    assert told.adapted_from == "sentence-transformers/all-MiniLM-L6-v2"
    again = rankdistill.train(data, first, earlier.path, tmp_path / "again", **short)
    own = roles(trace(Path(again), atlas_under([tmp_path, *map(Path, (tiny_cross_encoder, stranger))])))
    assert own[Path(stranger).name] == [START], "it goes on from a student that started there"


def test_what_stands_behind_a_model_counts_once_it_is_more_than_a_generator(
    plain: tuple[Path, Path], tiny_encoder: str, tiny_cross_encoder: str, stranger: str, tmp_path: Path
) -> None:
    """Met as one that wrote queries first, its own teacher's data sets were missing from what is disclosed."""
    data, candidates = plain
    store = rankdistill.score(data, tiny_cross_encoder, candidates, tmp_path / "store")
    earlier = rankdistill.train(data, store, stranger, tmp_path / "earlier", steps=1, batch_size=2, check="off")
    weights = resolve(str(earlier.path)).weights_hash
    around = atlas_under([tmp_path, *map(Path, (tiny_cross_encoder, stranger))])
    found: dict[str, dict[str, list[str]]] = {}
    for order in ((GENERATOR, TEACHER), (TEACHER, GENERATOR)):
        tracing = _Tracing(around)
        for role in order:
            tracing._model(weights, role, "x")
        assert len(tracing.texts) == 1, "what is scanned is scanned once"
        found[order[0]] = {Path(one.title).name: sorted(one.roles) for one in tracing.parents.values()}
    assert of_a(TEACHER, TEACHER) in found[GENERATOR][Path(tiny_cross_encoder).name]
    assert of_a(START, TEACHER) in found[GENERATOR][Path(stranger).name]
    assert found[TEACHER].keys() == found[GENERATOR].keys()


def settings_of(name: str | None) -> settings.KnownModel:
    """What mteb calls a model; None: it has none of it, and it was trained on nothing."""
    return settings.KnownModel(mteb=name, training_datasets=[] if name is None else None)


@pytest.fixture
def plain(tmp_path: Path) -> tuple[Path, Path]:
    """A collection and candidates, in the folder that lineages look into."""
    data = write_tiny_beir(tmp_path / "tiny")
    return data, Path(rankdistill.mine(data, tmp_path / "candidates", depth=10))


class Asking:
    """A teacher whose fingerprint a test gives."""

    score_kind, teacher_id = "logit", "asking-1"

    def __init__(self, fingerprint: dict[str, Any]) -> None:
        self.fingerprint = fingerprint

    def score(self, pairs: Sequence[tuple[str, str]], progress: object = None) -> np.ndarray:
        return np.array([document.count(query[-1]) for query, document in pairs], dtype=np.float32)


def test_the_tower_whose_space_a_student_learnt_is_a_parent(
    plain: tuple[Path, Path], tiny_encoder: str, tiny_cross_encoder: str, stranger: str, tmp_path: Path
) -> None:
    data, candidates = plain
    store = rankdistill.score(data, tiny_cross_encoder, candidates, tmp_path / "store")
    vectors = rankdistill.embed(data, stranger, tmp_path / "vectors")
    around = [Path(one) for one in (tiny_encoder, tiny_cross_encoder, stranger)]
    told = {Path(tiny_encoder).name: [START], Path(tiny_cross_encoder).name: [TEACHER]}
    for name, tower in (("model", stranger), ("vectors", str(tmp_path / "vectors"))):
        student = rankdistill.train(
            data, store, tiny_encoder, tmp_path / f"of-{name}", document_tower=tower, loss="disco", steps=1,
            negatives=3, batch_size=2, check="off",
        )  # fmt: skip
        found = trace(Path(student), atlas_under([tmp_path, *around]))
        assert found.missing == []
        assert roles(found) == told | {Path(stranger).name: [DOCUMENTS]}
    assert sorted(one.where for one in found.texts) == ["store", Path(vectors).name]


def test_the_models_behind_a_teacher_of_the_batch_are_parents(
    plain: tuple[Path, Path], tiny_encoder: str, tiny_cross_encoder: str, stranger: str, tmp_path: Path
) -> None:
    """Its identity may be a hash of settings, or of several models: nobody is disclosed by that."""
    data, candidates = plain
    store = rankdistill.score(data, tiny_cross_encoder, candidates, tmp_path / "store")
    (tmp_path / "alone.yaml").write_text(json.dumps({"kind": "embedding", "model": stranger, "max_length": 32}))
    both = {"kind": "ensemble", "members": [stranger, tiny_encoder], "deviations": [0.1, 0.2]}
    (tmp_path / "both.yaml").write_text(json.dumps(both))
    around = [Path(one) for one in (tiny_encoder, tiny_cross_encoder, stranger)]
    for name, own in (("alone", [START]), ("both", sorted([START, TEACHER]))):
        student = rankdistill.train(
            data, store, tiny_encoder, tmp_path / f"of-{name}", in_batch_teacher=tmp_path / f"{name}.yaml", steps=1,
            negatives=3, batch_size=2, check="off",
        )  # fmt: skip
        found = trace(Path(student), atlas_under([tmp_path, *around]))
        assert found.missing == []
        assert {one: sorted(each) for one, each in roles(found).items()} == {
            Path(tiny_encoder).name: own,
            Path(tiny_cross_encoder).name: [TEACHER],
            Path(stranger).name: [TEACHER],
        }


def test_a_tower_that_is_not_found_is_missing(
    plain: tuple[Path, Path], tiny_encoder: str, stranger: str, tmp_path: Path
) -> None:
    data, candidates = plain
    store = rankdistill.score(data, {"kind": "embedding", "model": tiny_encoder}, candidates, tmp_path / "store")
    tower = tmp_path / "elsewhere"
    shutil.copytree(stranger, tower)
    student = rankdistill.train(
        data, store, tiny_encoder, tmp_path / "student", document_tower=tower, loss="disco", steps=1, negatives=3,
        batch_size=2, check="off",
    )  # fmt: skip
    shutil.rmtree(tower)
    (missing,) = trace(Path(student), atlas_under([tmp_path, Path(tiny_encoder)])).missing
    assert missing.startswith("the document tower of student, with identity ")


@pytest.fixture(scope="module")
def conversing(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: str, stranger: str) -> Path:
    """Sessions, and two students of them: `student` on scores of two rewriters, `aligned` on vectors of one."""
    folder = tmp_path_factory.mktemp("conversing")
    sessions = write_tiny_sessions(write_tiny_beir(folder / "tiny"))
    rankdistill.train(
        None, None, stranger, folder / "student", sessions=sessions, teacher=tiny_encoder, rewrites=["human", "auto"],
        work=folder / "work", ranks="2:8", negatives=3, steps=1, batch_size=2, check="off",
    )  # fmt: skip
    rankdistill.train(
        None, None, tiny_encoder, folder / "aligned", sessions=sessions, teacher=tiny_encoder, rewrites="human",
        loss="leaf", work=folder / "work", steps=1, batch_size=2, epochs=None, dev_split="dev",
    )  # fmt: skip
    return folder


def test_the_teacher_of_rewrites_is_a_parent_and_who_rewrote_is_none(
    conversing: Path, tiny_encoder: str, stranger: str
) -> None:
    found = trace(conversing / "student", atlas_under([conversing, Path(tiny_encoder), Path(stranger)]))
    assert roles(found) == {Path(stranger).name: [START], Path(tiny_encoder).name: sorted([TEACHER, DOCUMENTS])}


@pytest.mark.parametrize("name", ["student", "aligned"])
def test_a_student_of_conversations_comes_from_sessions_and_what_it_read_of_them_is_known(
    conversing: Path, name: str, tiny_encoder: str, stranger: str
) -> None:
    found = trace(conversing / name, atlas_under([conversing, Path(tiny_encoder), Path(stranger)]))
    assert found.missing == []
    assert TEACHER in roles(found)[Path(tiny_encoder).name]
    assert {one.called for one in found.sources.values()} == {"tiny"}
    assert len(found.sources) == 2, "the sessions, and the collection of their documents"
    sessions = rankdistill.open(conversing / "tiny")
    (texts,) = found.texts
    asked = set(texts.queries())
    assert asked >= set(sessions.questions("train").values())
    assert asked >= set(sessions.rewrites("human", "train").values())
    assert (set(sessions.rewrites("auto", "train").values()) <= asked) == (name == "student")
    held = set(texts.documents())
    assert any(text.startswith("the ") and text.endswith(" is old") for text in held), "answers were read too"
    documents = set(read_collection(conversing / "tiny").contents.values())
    assert bool(held & documents) == (name == "student"), "an alignment reads no document"


def test_a_leaked_rewrite_is_found(conversing: Path, tiny_encoder: str, stranger: str, tmp_path: Path) -> None:
    sessions = rankdistill.open(conversing / "tiny")
    leaked = next(iter(sessions.rewrites("human", "train").values()))
    folder = tiny_task.write_collection(tmp_path / "task", dict(tiny_task.QUERIES) | {"t2": leaked.upper()})
    found = trace(conversing / "student", atlas_under([conversing, Path(tiny_encoder), Path(stranger)]))
    leaks = scan(rankdistill.open(folder), "test", found.texts)
    assert {key: one.kind for key, one in leaks.queries.items()} == {"t2": "exact"}


def test_sessions_that_changed_or_are_gone_are_missing(
    conversing: Path, tiny_encoder: str, stranger: str, tmp_path: Path
) -> None:
    for name in ("student", "work", "tiny"):
        shutil.copytree(conversing / name, tmp_path / name)
    change_manifest(tmp_path / "student", command="")
    (tmp_path / "tiny" / "sessions.jsonl").unlink()
    found = trace(tmp_path / "student", atlas_under([tmp_path, Path(tiny_encoder), Path(stranger)]))
    (told,) = found.missing
    assert told.startswith("the conversations of student (content ")


def test_the_lineage_of_a_student_of_conversations_names_its_sessions(
    conversing: Path, tiny_encoder: str, stranger: str
) -> None:
    within = [conversing, tiny_encoder, stranger]
    for name in ("student", "aligned"):
        told = rankdistill.lineage(conversing / name, within=within)
        assert [node.name for node in told.root.sources if not node.is_known] == []
        (named,) = [node for node in told.root.sources if "sessions" in node.name]
        assert "collection" in named.name, "the folder is both"
        assert named.artefact is not None
        assert named.artefact.path == conversing / "tiny"


def test_a_student_that_learnt_stored_scores_of_conversations_comes_from_them(
    conversing: Path, tiny_encoder: str, stranger: str, tmp_path: Path
) -> None:
    """What it read are the conversations, and not the texts that the store has for its queries."""
    (store,) = (one.path for one in atlas_under([conversing]).artefacts if one.kind == "scores")
    sessions = rankdistill.open(conversing / "tiny")
    teacher = rankdistill.open(store).teacher_ids[0]
    student = rankdistill.train(
        None, store, stranger, tmp_path / "student", sessions=sessions, teacher=teacher, steps=1, batch_size=2,
        negatives=2, check="off",
    )  # fmt: skip
    found = trace(Path(student), atlas_under([conversing, tmp_path, Path(tiny_encoder), Path(stranger)]))
    assert found.missing == []
    assert {one.called for one in found.sources.values()} == {"tiny"}
    (texts,) = found.texts
    assert set(texts.queries()) >= set(sessions.questions("train").values())
    gone = trace(Path(student), atlas_under([tmp_path, store, Path(tiny_encoder), Path(stranger)]))
    assert any(one.startswith("the conversations of student") for one in gone.missing)


@pytest.mark.parametrize("asks", ["rewritten", "listwise", "listwise of a service"])
def test_the_models_that_a_teacher_asks_are_parents(
    plain: tuple[Path, Path], asks: str, tiny_encoder: str, tiny_cross_encoder: str, tmp_path: Path
) -> None:
    data, candidates = plain
    model, first = ({"weights": resolve(one).weights_hash} for one in (tiny_encoder, tiny_cross_encoder))
    fingerprint, names = {
        "rewritten": ({"kind": "rewritten", "name": "human", "teacher": first}, [tiny_cross_encoder]),
        "listwise": (
            {"kind": "llm_listwise", "model": model, "first_stage": first},
            [tiny_encoder, tiny_cross_encoder],
        ),
        "listwise of a service": (
            {"kind": "llm_listwise", "model": {"request": {"model": "org/chat"}}, "first_stage": "bm25"},
            ["org/chat"],
        ),
    }[asks]
    store = rankdistill.score(data, Asking(fingerprint), candidates, tmp_path / "store")
    student = rankdistill.train(data, store, tiny_encoder, tmp_path / "student", steps=1, batch_size=2, check="off")
    found = trace(Path(student), atlas_under([tmp_path, Path(tiny_encoder), Path(tiny_cross_encoder)]))
    taught = [one for one, each in roles(found).items() if TEACHER in each]
    assert sorted(taught) == sorted(Path(one).name for one in names)


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
