"""What a student's teachers cost: told by stores, written beside the student, read where that is evaluated."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import yaml

import rankdistill
from rankdistill import manifest
from rankdistill.evaluation import curves, pareto
from rankdistill.evaluation.results import Evaluation
from rankdistill.stores import times
from rankdistill.stores.reader import ScoreStore
from rankdistill.stores.work import ShardWorker
from rankdistill.training import teacher_cost
from rankdistill.verbs.inherit import inherit

SECONDS = 2.5
"""That each unit takes on the clock of these tests."""

SHORT: dict[str, Any] = {"steps": 2, "batch_size": 2, "log_steps": 1, "check": "off"}


@pytest.fixture(autouse=True)
def ticking(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = count()
    monkeypatch.setattr(times, "now", lambda: next(ticks) * SECONDS)


@pytest.fixture
def candidates(tiny_beir: Path, tmp_path: Path) -> Path:
    rankdistill.mine(tiny_beir, tmp_path / "candidates", depth=5)
    return tmp_path / "candidates"


@pytest.fixture
def store(tiny_beir: Path, candidates: Path, tiny_cross_encoder: str, tmp_path: Path) -> ScoreStore:
    return rankdistill.score(tiny_beir, tiny_cross_encoder, candidates, tmp_path / "store", unit_size=16)


def seconds(store: ScoreStore) -> float | None:
    (teacher,) = store.teacher_ids
    return teacher_cost.of_scores(store, teacher).seconds


def test_the_seconds_of_a_store_are_those_of_its_shards_also_of_an_interrupted_run(
    tiny_beir: Path,
    candidates: Path,
    tiny_cross_encoder: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    usual: Callable[..., int] = ShardWorker.__call__
    done: list[int] = []

    def interrupted(self: ShardWorker, *given: object) -> int:
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(usual(self, *given))
        return done[-1]

    with monkeypatch.context() as patch:
        patch.setattr(ShardWorker, "__call__", interrupted)
        with pytest.raises(KeyboardInterrupt):
            rankdistill.score(tiny_beir, tiny_cross_encoder, candidates, tmp_path / "store", unit_size=16)
    store = rankdistill.score(tiny_beir, tiny_cross_encoder, candidates, tmp_path / "store", unit_size=16)
    (teacher,) = store.teacher_ids
    shards = store.shards()
    assert len(shards) > 3
    cost = teacher_cost.of_scores(store, teacher)
    assert (cost.seconds, cost.pairs, cost.texts) == (SECONDS * len(shards), store.count(), 0)
    assert times.FILE_NAME not in store.manifest.outputs

    deeper = rankdistill.mine(tiny_beir, tmp_path / "deeper", depth=8)
    more = rankdistill.score(tiny_beir, tiny_cross_encoder, deeper, tmp_path / "store", unit_size=16)
    assert seconds(more) == SECONDS * len(more.shards())
    assert len(more.shards()) > len(shards)


def test_what_a_store_does_not_tell_is_unknown(store: ScoreStore, tmp_path: Path) -> None:
    told = store.path / times.FILE_NAME
    content = times.unseal(told)
    (teacher,) = store.teacher_ids
    content[teacher].popitem()
    for lacking in (content, {teacher: {"x": "y"}}, {teacher: 1}, []):
        times.seal(told, lacking)
        assert seconds(store) is None, lacking
    for broken in ("{", "[]", json.dumps({teacher: {"x": 1.0}})):
        told.write_text(broken)
        assert seconds(store) is None, broken
    assert teacher_cost.of_scores(store, teacher).pairs == store.count()
    told.unlink()
    assert seconds(store) is None
    assert teacher_cost.of_scores(object(), teacher).seconds is None


def test_a_student_has_its_teachers_and_those_of_what_it_started_from_a_store_once(
    tiny_beir: Path, store: ScoreStore, tiny_encoder: str, tmp_path: Path
) -> None:
    vectors = rankdistill.embed(tiny_beir, tiny_encoder, tmp_path / "vectors", unit_size=20)
    aligned = rankdistill.train(None, vectors, tiny_encoder, tmp_path / "aligned", steps=2, batch_size=2)
    staged = rankdistill.train(tiny_beir, store, aligned, tmp_path / "staged", **SHORT)
    further = rankdistill.train(tiny_beir, store, staged, tmp_path / "further", **SHORT)
    embedding, scoring = (SECONDS * len(one.shards()) for one in (vectors, store))
    cost = teacher_cost.of_student(str(aligned.path))
    assert (cost.seconds, cost.pairs, cost.texts) == (embedding, 0, len(vectors))
    for student in (staged, further):
        cost = teacher_cost.of_student(str(student.path))
        assert (cost.seconds, cost.pairs, cost.texts) == (embedding + scoring, store.count(), len(vectors))
        assert not [name for name in student.manifest.outputs if name.startswith(".")]
    assert not teacher_cost.of_student(tiny_encoder)
    cut = inherit(staged, [0], tmp_path / "cut")
    assert teacher_cost.of_student(str(cut)) == teacher_cost.of_student(str(staged.path))
    assert not teacher_cost.of_student(str(inherit(tiny_encoder, [0], tmp_path / "of-none")))


def test_a_teacher_that_is_asked_while_training_makes_the_seconds_unknown_and_its_store_known(
    tiny_beir: Path, store: ScoreStore, tiny_encoder: str, tmp_path: Path
) -> None:
    vectors = rankdistill.embed(tiny_beir, tiny_encoder, tmp_path / "vectors")
    scoring = SECONDS * len(store.shards())
    for teacher, expected in ((tiny_encoder, None), (str(vectors.path), scoring + SECONDS * len(vectors.shards()))):
        settings: dict[str, Any] = {**SHORT, "loss": "kl_div", "in_batch_weight": 1.0, "in_batch_teacher": teacher}
        out = tmp_path / f"student-{expected}"
        student = rankdistill.train(tiny_beir, store, tiny_encoder, out, **settings)
        cost = teacher_cost.of_student(str(student.path))
        assert (cost.seconds, cost.pairs) == (expected, store.count())


def test_an_evaluation_and_a_comparison_tell_it(
    tiny_beir: Path, store: ScoreStore, tiny_encoder: str, tmp_path: Path
) -> None:
    known = rankdistill.train(tiny_beir, store, tiny_encoder, tmp_path / "known", **SHORT)
    (store.path / times.FILE_NAME).unlink()
    unknown = rankdistill.train(tiny_beir, store, tiny_encoder, tmp_path / "unknown", **SHORT)
    index = rankdistill.index(tiny_beir, known, tmp_path / "index")
    systems: dict[str, Any] = {
        "bm25": "bm25",
        "start": tiny_encoder,
        "known": known,
        "indexed": index,
        "unknown": unknown,
    }
    found = {
        name: rankdistill.evaluate(tiny_beir, one, tmp_path / "of" / name, name=name, split="train")
        for name, one in systems.items()
    }
    expected = SECONDS * len(store.shards())
    told = {name: (one.system.teacher_seconds, one.system.teacher_pairs) for name, one in found.items()}
    pairs = store.count()
    assert told == {
        "bm25": (None, None),
        "start": (None, None),
        "known": (expected, pairs),
        "indexed": (expected, pairs),
        "unknown": (None, pairs),
    }
    assert Evaluation.read(tmp_path / "of" / "known").system == found["known"].system
    made = manifest.read(tmp_path / "of" / "known")
    assert made is not None
    assert made.parameters["costs"]["teacher_seconds"] is None, "a time decides nothing"

    results = rankdistill.compare(list(found.values()), tmp_path / "compared")
    costs = {one.name: pareto.costs_of(one)["teacher s"] for one in results.systems}
    assert costs == {"bm25": 0.0, "start": 0.0, "known": expected, "indexed": expected, "unknown": None}
    header, rows = pareto.rows(results.systems, "ndcg_at_10", "nDCG@10")
    assert [row[header.index("teacher s")] for row in rows] == ["0", "0", f"{expected:g}", f"{expected:g}", "-"]
    dominated = pareto.dominated_by(results.systems, "ndcg_at_10")
    assert "unknown" not in {name for others in dominated.values() for name in others}
    assert "teacher s" in (tmp_path / "compared" / "report.html").read_text()

    (known.path / teacher_cost.FILE_NAME).unlink()
    assert teacher_cost.of_student(str(known.path)).seconds is None, "from before it was written down"


def test_a_reranking_students_teacher_counts_beside_the_first_systems(
    tiny_beir: Path, store: ScoreStore, tiny_encoder: str, tiny_cross_encoder: str, tmp_path: Path
) -> None:
    vectors = rankdistill.embed(tiny_beir, tiny_encoder, tmp_path / "vectors")
    first = rankdistill.train(None, vectors, tiny_encoder, tmp_path / "first", steps=2, batch_size=2)
    ranker = rankdistill.train(tiny_beir, store, tiny_cross_encoder, tmp_path / "ranker", **SHORT)
    found = rankdistill.evaluate(
        tiny_beir, first, tmp_path / "out", split="train", rerank=str(ranker.path), rerank_depth=3
    ).system
    expected = SECONDS * (len(vectors.shards()) + len(store.shards()))
    assert (found.teacher_seconds, found.teacher_pairs, found.teacher_texts) == (expected, store.count(), len(vectors))


def test_an_engines_collection_costs_what_its_own_model_does(
    tiny_beir: Path, store: ScoreStore, tiny_encoder: str, tmp_path: Path
) -> None:
    student = rankdistill.train(tiny_beir, store, tiny_encoder, tmp_path / "student", **SHORT)
    index = rankdistill.index(tiny_beir, student, tmp_path / "index")
    place: dict[str, Any] = {"url": str(tmp_path / "qdrant"), "collection": "c"}
    rankdistill.push(index, to="qdrant", **place)
    of_index = rankdistill.evaluate(tiny_beir, index, tmp_path / "of-index", split="train")
    for name, model in (("own", None), ("given", student)):
        out = tmp_path / f"of-{name}"
        found = rankdistill.evaluate(tiny_beir, model, out, split="train", engine="qdrant", **place).system
        assert (found.teacher_seconds, found.teacher_unknown) == (SECONDS * len(store.shards()), False)
        assert (found.model_bytes, found.parameters) == (of_index.system.model_bytes, of_index.system.parameters)
        assert found.model_bytes
        assert (out / curves.CURVES_FILE).read_text() == (tmp_path / "of-index" / curves.CURVES_FILE).read_text()
    graph = rankdistill.index(tiny_beir, student, tmp_path / "graph", factory="HNSW8")
    rankdistill.evaluate(tiny_beir, [index, graph], tmp_path / "fused", split="train", fusion="rrf")
    assert curves.read(tmp_path / "fused") == curves.read(tmp_path / "of-index"), "both have that model"
    other = rankdistill.evaluate(
        tiny_beir, tiny_encoder, tmp_path / "other", split="train", engine="qdrant", unaligned=True, **place
    ).system
    assert other.teacher_seconds == SECONDS * len(store.shards()), "of the documents' model"
    shutil.move(student.path, tmp_path / "elsewhere")
    gone = rankdistill.evaluate(
        tiny_beir, tiny_encoder, tmp_path / "gone", split="train", engine="qdrant", unaligned=True, **place
    ).system
    assert gone.teacher_unknown


def test_what_re_ranks_by_settings_counts_as_by_name(
    tiny_beir: Path, store: ScoreStore, tiny_cross_encoder: str, tmp_path: Path
) -> None:
    ranker = rankdistill.train(tiny_beir, store, tiny_cross_encoder, tmp_path / "ranker", **SHORT)
    settings = {"kind": "cross_encoder", "model": str(ranker.path)}
    (tmp_path / "ranker.yaml").write_text(yaml.safe_dump(settings))
    for place, teacher in enumerate((settings, str(tmp_path / "ranker.yaml"), str(ranker.path))):
        found = rankdistill.evaluate(
            tiny_beir, "bm25", tmp_path / f"{place}", split="train", rerank=teacher, rerank_depth=3
        ).system
        assert found.teacher_seconds == SECONDS * len(store.shards())


def test_a_bundle_carries_what_its_towers_cost(tiny_beir: Path, tiny_encoder: str, tmp_path: Path) -> None:
    vectors = rankdistill.embed(tiny_beir, tiny_encoder, tmp_path / "vectors")
    student = rankdistill.train(None, vectors, tiny_encoder, tmp_path / "student", steps=2, batch_size=2)
    bundle = rankdistill.bundle(student, tiny_encoder, tmp_path / "bundle", onnx=False, router=False)
    found = rankdistill.evaluate(tiny_beir, bundle, tmp_path / "out", split="train").system
    assert (found.teacher_seconds, found.teacher_texts) == (SECONDS * len(vectors.shards()), len(vectors))
    assert curves.read(tmp_path / "out") == curves.of_model(student.path)
    assert curves.read(tmp_path / "out") is not None
    made = manifest.read(tmp_path / "bundle")
    assert made is not None
    assert not [name for name in made.outputs if teacher_cost.FILE_NAME in name]
