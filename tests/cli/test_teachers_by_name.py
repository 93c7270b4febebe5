"""Teachers of a store by name: every verb that takes one takes its name, its model's, or the start of one."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from rankdistill import data
from rankdistill.stores.reader import ScoreStore
from rankdistill.stores.writer import ScoreWriter
from rankdistill.teachers import TeacherSpec
from tests.cli.verb import Run
from tests.stores.conftest import HashTeacher
from tests.stores.test_naming import Nameless

WAYS = ("mine", "mi", "SPLADE-v3", "naver/SPLADE-v3", "naver", "SPLADE", "spa")
"""What may stand for the teacher `sparse-0` besides its id."""

Outcome = Callable[[Run, Path, str, Path], object]
"""Runs a verb over (the store's folder, the teacher as asked for, a folder to work in); what came of it."""


@pytest.fixture
def store(tiny_beir: Path, tmp_path: Path, mined: Path) -> Path:
    """Two teachers of the mined pairs, one with a name of its user's and a model's; BM25 imported beside them."""
    dataset = data.load(tiny_beir)
    given: list[tuple[HashTeacher, str | None, str | None]] = [
        (Nameless("sparse"), "mine", "naver/SPLADE-v3"),
        (Nameless("cross-encoder"), None, "pypi:large"),
    ]
    for teacher, name, model in given:
        ScoreWriter(
            tmp_path / "store",
            queries=dataset.queries(None),
            documents=dataset.contents,
            candidates=mined / "candidates.parquet",
            teacher=teacher,
            dataset_fingerprint=dataset.fingerprint,
            spec=None if model is None else TeacherSpec("sparse", {"model": model}),
            name=name,
        ).run()
    return tmp_path / "store"


def ran(rankdistill: Run, *words: object) -> str:
    status, text = rankdistill(*words)
    assert status == 0, text
    return text


def check(rankdistill: Run, store: Path, teacher: str, work: Path) -> object:
    status, text = rankdistill("check", store, "--teacher", teacher, "--json", work / "check.json")
    assert (status in (0, 1), "Traceback" in text) == (True, False), text
    return json.loads((work / "check.json").read_text())


def export(rankdistill: Run, store: Path, teacher: str, work: Path) -> object:
    (work / "run.trec").unlink(missing_ok=True)
    ran(
        rankdistill,
        "export",
        "--format",
        "trec-run",
        "--store",
        store,
        "--teacher",
        teacher,
        "--out",
        work / "run.trec",
    )
    return (work / "run.trec").read_text()


def trained(rankdistill: Run, store: Path, work: Path, *words: str) -> object:
    """The student's manifest without its command; one that was trained from the same is not trained again."""
    line = ["--steps", 1, "--batch-size", 2, "--no-check", "--student", work / "model", "--out", work / "student"]
    ran(rankdistill, "train", "--data", work / "tiny", "--store", store, *line, *words)
    found: Mapping[str, object] = json.loads((work / "student/manifest.json").read_text())
    return {name: value for name, value in found.items() if name != "command"}


def train_one(rankdistill: Run, store: Path, teacher: str, work: Path) -> object:
    return trained(rankdistill, store, work, "--teacher", teacher)


def train_ensemble(rankdistill: Run, store: Path, teacher: str, work: Path) -> object:
    return trained(rankdistill, store, work, "--teachers", f"large,{teacher}")


def train_to_a_reference(rankdistill: Run, store: Path, teacher: str, work: Path) -> object:
    words = ["--teachers", "large", "--calibrate", "affine", "--reference", teacher]
    return trained(rankdistill, store, work, *words)


def combined(rankdistill: Run, store: Path, work: Path, *words: str) -> object:
    """The identity of the store that was written; one of the same is not written again."""
    ran(rankdistill, "ensemble", "--store", store, *words, "--out", work / "combined")
    return ScoreStore(work / "combined").identity


def ensemble(rankdistill: Run, store: Path, teacher: str, work: Path) -> object:
    return combined(rankdistill, store, work, "--teachers", f"{teacher},large")


def ensemble_to_a_reference(rankdistill: Run, store: Path, teacher: str, work: Path) -> object:
    words = ["--teachers", "large", "--calibrate", "affine", "--reference", teacher]
    return combined(rankdistill, store, work, *words)


def score_a_table(rankdistill: Run, store: Path, teacher: str, work: Path) -> object:
    settings = {"path": str(store), "data": str(work / "tiny"), "name": "again", "score_kind": "logit"}
    (work / "table.yaml").write_text(json.dumps(settings | {"kind": "table", "teacher": teacher}))
    line = ["--data", work / "tiny", "--candidates", work / "candidates", "--teacher", work / "table.yaml"]
    ran(rankdistill, "score", *line, "--out", work / "again")
    return ScoreStore(work / "again").identity


VERBS: tuple[Outcome, ...] = (
    check,
    export,
    train_one,
    train_ensemble,
    train_to_a_reference,
    ensemble,
    ensemble_to_a_reference,
    score_a_table,
)


@pytest.fixture
def work(tmp_path: Path, tiny_beir: Path, tiny_encoder: str, mined: Path) -> Path:
    """A folder with `tiny`, `candidates`, and a link to a model."""
    (tmp_path / "model").symlink_to(tiny_encoder)
    return tmp_path


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_takes_every_name_and_does_the_same(
    verb: Outcome, rankdistill: Run, store: Path, work: Path
) -> None:
    by_id = verb(rankdistill, store, "sparse-0", work)
    for way in WAYS:
        assert verb(rankdistill, store, way, work) == by_id, way
    if verb is train_one:
        assert isinstance(by_id, dict)
        assert by_id["parameters"]["teacher_id"] == "sparse-0"


@pytest.mark.parametrize(
    "words",
    [
        ("check", "STORE", "--teacher", "NAME"),
        ("export", "--format", "trec-run", "--store", "STORE", "--out", "WORK/run.trec", "--teacher", "NAME"),
        ("train", "--data", "DATA", "--store", "STORE", "--student", "MODEL", "--out", "WORK/s", "--teacher", "NAME"),
        ("train", "--data", "DATA", "--store", "STORE", "--student", "MODEL", "--out", "WORK/s", "--teachers", "NAME"),
        ("ensemble", "--store", "STORE", "--teachers", "large,NAME", "--out", "WORK/c"),
        ("ensemble", "--store", "STORE", "--teachers", "large", "--reference", "NAME", "--out", "WORK/c"),
    ],
)
def test_every_verb_refuses_what_stands_for_none_and_lists_the_teachers(
    words: tuple[str, ...], rankdistill: Run, store: Path, work: Path
) -> None:
    name = "" if words[0] == "export" else "nobody"
    paths = {"STORE": str(store), "DATA": str(work / "tiny"), "MODEL": str(work / "model"), "NAME": name}
    line = [paths.get(word, word.replace("WORK", str(work)).replace("NAME", name)) for word in words]
    status, text = rankdistill(*line)
    assert (status, "Traceback" in text) == (1, False), text
    assert "large (cross-encoder-0), mine (sparse-0)" in text
    assert f"{name!r}, which stands for 0 of them" in text


def test_score_gives_a_name_status_and_check_show_it_and_a_second_of_that_name_is_refused(
    rankdistill: Run, tiny_beir: Path, tiny_cross_encoder: str, mined: Path, tmp_path: Path
) -> None:
    store, model = tmp_path / "named", Path(tiny_cross_encoder).name
    line = ["score", "--data", tiny_beir, "--teacher", tiny_cross_encoder, "--candidates", mined, "--backend", "torch"]
    line += ["--out", store]
    assert "was called" not in ran(rankdistill, *line)
    (known,) = ScoreStore(store).teacher_ids
    assert f" {model} ({known}): 120 scores in 1 shards" in ran(rankdistill, "status", store)
    text = ran(rankdistill, *line, "--name", "careful")
    assert ("was called" in text, "0 pairs scored, 120 reused" in text) == (False, True)
    text = ran(rankdistill, *line, "--name", "thorough")
    assert f"thorough ({known}) was called careful before" in text
    assert f" thorough ({known}): 120 scores in 1 shards" in ran(rankdistill, "status", store)
    assert f"thorough ({known}): " in rankdistill("check", store, "--teacher", "tho")[1]
    status, text = rankdistill(*line, "--max-length", 16, "--name", "thorough")
    assert (status, f"'thorough', the name of {known}" in text, "Traceback" in text) == (1, True, False)
    assert ScoreStore(store).teacher_ids == [known]
    status, text = rankdistill(*line, "--name", "a,b")
    assert (status, "without a comma" in text, "Traceback" in text) == (1, True, False)


def test_a_teacher_by_two_of_its_names_is_checked_once(rankdistill: Run, store: Path, tmp_path: Path) -> None:
    rankdistill("check", store, "--teacher", "mi", "--teacher", "SPLADE", "--json", tmp_path / "check.json")
    teachers = json.loads((tmp_path / "check.json").read_text())["teachers"]
    assert [(one["name"], one["teacher_id"]) for one in teachers] == [("mine", "sparse-0")]


def test_an_import_takes_no_name_that_a_teacher_has_and_is_found_by_its_own(
    rankdistill: Run, store: Path, tiny_beir: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run.trec"
    run.write_text("".join(f"q{query:02d} Q0 d{doc:02d} 1 {doc}.5 x\n" for query in range(12) for doc in range(9)))
    line = ["import", "--format", "trec-run", "--input", run, "--out", store, "--data", tiny_beir, "--teacher-name"]
    before = ScoreStore(store).identity
    status, text = rankdistill(*line, "mine")
    assert (status, "'mine', the name of sparse-0" in text, "Traceback" in text) == (1, True, False)
    assert ScoreStore(store).identity == before
    ran(rankdistill, *line, "bm25 of others")
    ran(rankdistill, *line, "bm25 of others")
    found = ScoreStore(store)
    assert found.names[found.teacher("bm25")] == "bm25 of others"
    assert found.teacher("bm25") == found.teacher("table")


def test_embed_gives_a_name_and_status_shows_it(
    rankdistill: Run, tiny_beir: Path, tiny_encoder: str, tmp_path: Path
) -> None:
    line = ["embed", "--data", tiny_beir, "--teacher", tiny_encoder, "--limit", 10, "--out", tmp_path / "vectors"]
    ran(rankdistill, *line)
    assert f" {Path(tiny_encoder).name} (embedding-" in ran(rankdistill, "status", tmp_path / "vectors")
    ran(rankdistill, *line, "--name", "mine")
    assert " mine (embedding-" in ran(rankdistill, "status", tmp_path / "vectors")
    assert ") was called mine before" in ran(rankdistill, *line, "--name", "ours")
