"""Students of conversations from sessions to search: what they learn from, what is kept, measured, and refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ir_measures
import numpy as np
import polars as pl
import pytest
from ir_measures import RR, R, nDCG

import rankdistill as rd
from rankdistill import manifest, sessions, space, teachers
from rankdistill.data import load
from rankdistill.errors import ConfigError, DataError, SpaceMismatchError
from rankdistill.inference import conversation
from rankdistill.stores.reader import ScoreStore
from rankdistill.training import teacher_cost
from rankdistill.training.in_batch.encoded import EncodedTeacher
from tests.conversations import write_tiny_sessions
from tests.recipe.recorder import Recorder
from tests.towers import static_student

__all__ = ["static_student"]  # a fixture

pytestmark = pytest.mark.usefixtures("torch_alone")

SMALL: dict[str, Any] = {"steps": 4, "batch_size": 4, "eval_steps": 2, "log_steps": 2, "precision": "float32"}
SCORES: dict[str, Any] = {**SMALL, "negatives": 3, "ranks": "2:12", "learning_rate": 1e-3, "check": "warn"}

Train = Callable[..., Path]


@pytest.fixture
def folder(tiny_beir: Path) -> Path:
    return write_tiny_sessions(tiny_beir)


@pytest.fixture
def train(folder: Path, tiny_encoder: str, tmp_path: Path) -> Train:
    def start(name: str = "student", model: str = "", **given: Any) -> Path:
        usual = SMALL if given.get("loss") == "leaf" else SCORES
        chosen = {"teacher": model or tiny_encoder, "rewrites": "human", "work": tmp_path / "work"} | usual | given
        chosen.setdefault("sessions", folder)
        return rd.train(
            chosen.pop("documents", None), chosen.pop("store", None), model or tiny_encoder, tmp_path / name, **chosen
        ).path

    return start


def log(out: Path) -> dict[str, Any]:
    return json.loads((out / "training_log.json").read_text())


def scores_in(work: Path) -> ScoreStore:
    return ScoreStore(next(work.glob("scores-*")))


@pytest.mark.parametrize("kind", ["tiny_encoder", "tiny_splade"])
def test_the_student_learns_the_teachers_scores_of_the_rewrite_by_reading_the_conversation(
    train: Train, folder: Path, tmp_path: Path, kind: str, request: pytest.FixtureRequest
) -> None:
    model = request.getfixturevalue(kind)
    out = train(model=model)
    assert log(out)["type"] == ("splade" if kind == "tiny_splade" else "dense")
    store, found = scores_in(tmp_path / "work"), sessions.read(folder)
    rewrites, data = found.rewrites("human", "train"), load(folder)
    pairs = store.scores("human").sort("query_id", "doc_id")
    alone = teachers.load(model).score(
        [(rewrites[query], data.contents[doc]) for query, doc in pairs.select("query_id", "doc_id").iter_rows()]
    )
    np.testing.assert_allclose(pairs["score"], alone, rtol=1e-4, atol=1e-5)
    format_ = conversation.read(out)
    assert format_ is not None
    assert format_.order == "newest_first"
    assert " [SEP] " in format_.separator
    asked = {one.turn_id: one for one in found.asked("train")}
    texts = store.query_texts()
    assert set(texts) == set(asked)
    deep = next(one for one in asked.values() if one.depth == 3)
    assert texts[deep.turn_id] == " [SEP] ".join(reversed(deep.said))
    assert manifest.expect(out, "student", "train").parameters["conversation"]["order"] == "newest_first"
    positives = store.candidates().filter(pl.col("label") > 0).select("query_id", "doc_id").unique()
    gold = {(query, doc) for query, judged in found.qrels("train").items() for doc in judged}
    assert set(positives.iter_rows()) == gold


def test_candidates_are_the_ranks_of_the_teachers_run_that_are_asked_for(
    train: Train, folder: Path, tiny_encoder: str, tmp_path: Path
) -> None:
    train(ranks="3:7")
    store, data = scores_in(tmp_path / "work"), load(folder)
    encoder, rewrites = teachers.load(tiny_encoder), sessions.read(folder).rewrites("human", "train")
    for query, rewrite in rewrites.items():
        scores = encoder.score([(rewrite, text) for text in data.contents.values()])
        ranked = [doc for _, doc in sorted(zip(-scores, data.contents, strict=True), key=lambda one: one[0])]
        found = set(store.candidates().filter(pl.col("query_id") == query)["doc_id"])
        assert found == set(ranked[2:7]) | data.qrels("train")[query].keys()


def test_an_index_of_the_teacher_gives_the_same_candidates(
    train: Train, folder: Path, tiny_encoder: str, tmp_path: Path
) -> None:
    index = rd.index(folder, tiny_encoder, tmp_path / "index")
    train("a", work=tmp_path / "one")
    train("b", work=tmp_path / "two", index=index)
    one, two = (scores_in(tmp_path / name).scores("human").sort("query_id", "doc_id") for name in ("one", "two"))
    assert one.select("query_id", "doc_id").equals(two.select("query_id", "doc_id"))
    np.testing.assert_allclose(one["score"], two["score"], atol=1e-5)


def test_several_rewriters_are_read_by_mean_calibrated_mean_or_the_best_of_each_turn(
    train: Train, folder: Path, tmp_path: Path
) -> None:
    train("mean", rewrites=["human", "auto"], steps=1)
    store = scores_in(tmp_path / "work")
    human, auto = (store.scores(name).sort("query_id", "doc_id") for name in ("human", "auto"))
    mean = rd.Ensemble(store, ["human", "auto"], "none").scores().sort("query_id", "doc_id")
    np.testing.assert_allclose(mean["score"], (human["score"] + auto["score"]) / 2, rtol=1e-5)
    best = rd.Ensemble(store, ["human", "auto"], "none", combine="best").scores().sort("query_id", "doc_id")
    gold = sessions.read(folder).qrels("train")

    def rank(scores: pl.DataFrame, query: str) -> int:
        rows = scores.filter(pl.col("query_id") == query)
        positive = rows.filter(pl.col("doc_id").is_in(list(gold[query])))["score"].max()
        return rows.filter(pl.col("score") > positive).height

    told = set()
    for query in gold:
        wanted = human if rank(human, query) <= rank(auto, query) else auto
        told.add(wanted is human)
        np.testing.assert_allclose(
            best.filter(pl.col("query_id") == query)["score"], wanted.filter(pl.col("query_id") == query)["score"]
        )
    assert told == {True, False}
    out = train("best", rewrites=["human", "auto"], steps=1, combine="best", calibrate="zscore")
    derived = manifest.expect(out, "student", "train").parameters["derivation"]
    assert (derived["combine"], derived["calibrate"]) == ("best", "zscore")


@pytest.mark.parametrize("kind", ["tiny_encoder", "tiny_splade"])
def test_the_rival_learns_the_vectors_of_rewrites_and_standalone_queries(
    train: Train, folder: Path, kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    from sentence_transformers import SentenceTransformer, SparseEncoder

    model = request.getfixturevalue(kind)
    sparse = kind == "tiny_splade"
    given: dict[str, Any] = {"loss": "leaf", "standalone": 0.25, "learning_rate": 1e-3, "warmup": 0.0}
    recorder = Recorder()
    given |= {"batch_size": 16, "progress": recorder}
    out = train(model=model, steps=1, eval_steps=1, log_steps=1, dev_split="dev", **given)
    assert recorder.ran == ["reading", "aligning"]
    told = log(out)
    encoder = (SparseEncoder if sparse else SentenceTransformer)(model, device="cpu")
    assert told["texts"]["documents"] == 0
    weights = manifest.expect(out, "student", "train").parameters["source_weights"]["standalone"]
    texts = told["texts"]["texts"]
    assert texts == 24  # 12 conversations, and their 12 rewrites
    assert weights == pytest.approx(1 / 3)  # 12 / 3 = 4 of 16
    assert (space.read_sparse if sparse else space.read)(out) == rd.index(folder, model, tmp_path / "index").space
    assert len(told["monitor"]) == 2
    assert all("tiny/dev/asymmetric_ndcg_at_10" in point for point in told["monitor"])
    loaded = (SparseEncoder if sparse else SentenceTransformer)(str(out), device="cpu")
    assert loaded.encode_query(["a river"]).shape[-1] == encoder.encode_query(["a river"]).shape[-1]


def test_aligned_students_come_nearer_to_the_rewrite(train: Train, folder: Path, tiny_encoder: str) -> None:
    from sentence_transformers import SentenceTransformer

    out = train(loss="leaf", steps=40, eval_steps=40, log_steps=40, learning_rate=1e-3, standalone=0.0)
    found, reads = sessions.read(folder), conversation.read(out)
    assert reads is not None
    rewrites = list(found.rewrites("human", "train").values())
    texts = [reads.join(one.said, len, 10**6) for one in found.asked("train")]
    targets = SentenceTransformer(tiny_encoder, device="cpu").encode_query(rewrites)
    before, after = (
        float((SentenceTransformer(one, device="cpu").encode_query(texts) * targets).sum(axis=1).mean())
        for one in (tiny_encoder, str(out))
    )
    assert after > before + 0.02


def rewritten(folder: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    """The folder, each session with a change."""
    path = folder / "sessions.jsonl"
    found = [json.loads(line) for line in path.read_text().splitlines()]
    for session in found:
        change(session)
    path.write_text("".join(json.dumps(session) + "\n" for session in found))
    return folder


@pytest.fixture
def leaky(folder: Path) -> Path:
    """Of `train`: rewrites that say the same as a test question and as test rewrites, an opening that does too."""
    first = next(one for one in sessions.read(folder).sessions if one.split == "test").asked
    human, auto = first[1].turn.rewrites["human"][0], first[2].turn.rewrites["auto"][0]
    said = iter([first[0].turn.text.upper(), f" {human}?!", auto])

    def change(session: dict[str, Any]) -> None:
        asked = [turn for turn in session["turns"] if "turn_id" in turn]
        if session["session_id"] == "train0":
            for turn, text in zip(asked, said, strict=True):
                turn["rewrites"]["human"] = [text]
        if session["session_id"] == "train3":
            asked[0]["text"] = human.title()

    return rewritten(folder, change)


def asked_in_test(folder: Path) -> set[str]:
    """All that is said of the test's questions, by letters and spaces alone."""
    found = [one for one in sessions.read(folder).asked("test") if one.turn.gold]
    texts = [one.turn.text for one in found] + [" ".join(reversed(one.said)) for one in found]
    return set(map(letters, texts + [text for one in found for own in one.turn.rewrites.values() for text in own]))


def letters(text: str) -> str:
    kept = "".join(one if one.isalnum() else " " for one in text.replace("[SEP]", " ").lower())
    return " ".join(kept.split())


def test_what_a_test_asks_in_any_words_is_not_read_in_training(
    train: Train, leaky: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from rankdistill.training.alignment import run

    given, align = list[pl.DataFrame](), run.align

    def spy(vectors: Any, *arguments: Any, **named: Any) -> Path:
        given.append(pl.DataFrame(vectors.texts()))
        return align(vectors, *arguments, **named)

    monkeypatch.setattr(run, "align", spy)
    out = train(loss="leaf", steps=1, standalone=0.25)
    (texts,) = given
    assert not {letters(text) for text in texts["text"]} & asked_in_test(leaky)
    # 12 conversations and their rewrites; without train3's first with its rewrite, and three other rewrites
    assert texts["source"].to_list() == ["conversations"] * 11 + ["standalone"] * 8
    assert log(out)["texts"]["texts"] == 19
    assert "1 of 12 conversations of 'train' say the same as" in caplog.text
    assert "3 of 11 rewrites say the same as" in caplog.text
    # The conversations with these rewrites are read as ever: it is the teacher that reads their rewrites.
    first = next(one for one in sessions.read(leaky).sessions if one.session_id == "train0")
    assert {" [SEP] ".join(reversed(one.said)) for one in first.asked} <= set(texts["text"])


def test_a_conversation_that_is_a_tests_rewrite_is_not_scored(
    train: Train, leaky: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    train(steps=1)
    texts = scores_in(tmp_path / "work").query_texts().values()
    assert len(texts) == 11
    assert not {letters(text) for text in texts} & asked_in_test(leaky)
    assert "1 of 12 conversations of 'train' say the same as" in caplog.text


@pytest.mark.parametrize("loss", ["disco", "leaf"])
def test_where_another_split_judges_all_it_is_refused(train: Train, folder: Path, loss: str) -> None:
    tested = [one.turn.text for one in sessions.read(folder).asked("test")]

    def change(session: dict[str, Any]) -> None:
        if session["split"] == "train":
            first = session["turns"][0]
            session["turns"] = [first | {"text": tested[len(session["session_id"]) % len(tested)]}]

    with pytest.raises(ConfigError, match="which no other split judges"):
        train(sessions=rewritten(folder, change), loss=loss)


def test_rewrites_that_no_split_judges_alone_are_standalone_queries(train: Train, folder: Path) -> None:
    tested = sessions.read(folder).asked("test")[0].turn.text

    def change(session: dict[str, Any]) -> None:
        for turn in session["turns"] if session["split"] == "train" else []:
            if "turn_id" in turn:
                turn["rewrites"]["human"] = [tested]

    rewritten(folder, change)
    with pytest.raises(ConfigError, match="set standalone to 0"):
        train("refused", loss="leaf")
    assert log(train(loss="leaf", standalone=0.0, steps=1))["texts"]["texts"] == 12


def test_questions_without_a_split_are_trained_on_without_those_of_other_sessions(
    train: Train, folder: Path, tmp_path: Path
) -> None:
    """A question of a test session that is not judged is in no split by the judgements, but in one by its session."""
    unjudged = sessions.read(folder).asked("test")[0].turn_id
    for split in ("train", "test"):
        path = folder / "qrels" / f"{split}.tsv"
        header, *lines = path.read_text().splitlines()
        kept = [line for line in lines if split == "test" and not line.startswith(f"{unjudged}\t")]
        path.write_text("".join(f"{line}\n" for line in [header, *kept]) if kept else "")
        if not kept:
            path.unlink()

    def change(session: dict[str, Any]) -> None:
        if session["split"] == "train":
            del session["split"]

    rewritten(folder, change)
    train(split="unjudged", loss="kl_div", unlabelled="top", steps=1)
    wanted = {one.turn_id for one in sessions.read(folder).asked("unjudged")}
    assert set(scores_in(tmp_path / "work").query_texts()) == wanted


def unjudged(folder: Path, *queries: str) -> None:
    """The folder without the judgements of some questions."""
    for path in (folder / "qrels").iterdir():
        rows = path.read_text().splitlines(keepends=True)
        path.write_text("".join(row for row in rows if row.split("\t")[0] not in queries))

    def change(session: dict[str, Any]) -> None:
        for turn in session["turns"]:
            if turn.get("turn_id") in queries:
                turn.pop("gold", None)

    rewritten(folder, change)


def test_questions_that_nobody_judged_are_told_and_can_be_trained_on(
    train: Train, folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """They were left out without a word, also with `unlabelled: top`; those of other splits' sessions always are."""
    asked = {split: [one.turn_id for one in sessions.read(folder).asked(split)] for split in ("train", "test")}
    unjudged(folder, *asked["train"][:4], asked["test"][0])
    skipped = train("skipped", steps=1, work=tmp_path / "some")
    assert "4 of 12 conversations of 'train' with rewrites are not judged" in caplog.text
    assert set(scores_in(tmp_path / "some").query_texts()) == set(asked["train"][4:])
    caplog.clear()
    every = train("every", steps=1, work=tmp_path / "all", unlabelled="top")
    assert "are not judged" not in caplog.text
    store = scores_in(tmp_path / "all")
    assert set(store.query_texts()) == set(asked["train"])
    assert log(every)["view"]["rows"] == log(skipped)["view"]["rows"] + 4
    labels = store.candidates().filter(pl.col("query_id").is_in(asked["train"][:4]))["label"]
    assert labels.null_count() == len(labels) > 0


@pytest.mark.parametrize("given", [{"ranks": "5:12"}, {"ranks": "4:12", "sample": 3}])
def test_the_positive_of_an_unjudged_question_is_the_first_of_the_teachers_run(
    train: Train, folder: Path, tiny_encoder: str, tmp_path: Path, given: dict[str, Any]
) -> None:
    """It was the best within the window, at DiSCo's ranks the eleventh, or of what was drawn."""
    asked = [one.turn_id for one in sessions.read(folder).asked("train")]
    unjudged(folder, *asked[:5])
    train(steps=1, unlabelled="top", **given)
    data, rewrites = load(folder), sessions.read(folder).rewrites("human", "train")
    encoder, store = teachers.load(tiny_encoder), scores_in(tmp_path / "work")
    found = store.candidates().join(store.scores("human"), on=["query_id", "doc_id"])
    for query in asked:
        scores = encoder.score([(rewrites[query], text) for text in data.contents.values()])
        first = list(data.contents)[int(np.argmax(scores))]
        of_query = found.filter(pl.col("query_id") == query).sort("score", descending=True)
        if query in asked[:5]:
            assert of_query["doc_id"][0] == first
        else:
            assert first not in set(of_query.filter(pl.col("label").is_null())["doc_id"])


def test_the_unit_of_scores_is_the_teachers_where_its_documents_are_searched(
    train: Train, tiny_encoder: str, tiny_splade: str
) -> None:
    """Beside another model's documents the student starts in another space: its factor is found, not taken for 1."""

    def settings(out: Path) -> dict[str, Any]:
        return manifest.expect(out, "student", "train").parameters

    own = settings(train("own"))
    assert (own["scale"], own["teacher_temperature"], own["type"]) == (1.0, 0.05, "dense")
    other = settings(train("other", model=tiny_encoder, teacher=tiny_splade, document_tower=tiny_encoder))
    assert (other["scale"], other["teacher_temperature"], other["type"]) == ("auto", 1.0, "dense")
    sparse = settings(train("sparse", model=tiny_splade, teacher=tiny_encoder, document_tower=tiny_splade))
    assert (sparse["scale"], sparse["teacher_temperature"], sparse["type"]) == ("auto", 0.05, "splade")


def test_what_nobody_gave_is_not_told_to_be_without_effect(train: Train, caplog: pytest.LogCaptureFixture) -> None:
    train("labels", loss="contrastive", steps=1)
    assert "does not read" not in caplog.text
    train("given", loss="contrastive", steps=1, student_temperature=0.1)
    assert "student_temperature: the loss contrastive does not read it" in caplog.text


def test_matryoshka_is_of_dense_students(train: Train, tiny_splade: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="the terms of a vocabulary"):
        train("no", model=tiny_splade, loss="leaf", matryoshka=(8,))
    assert not (tmp_path / "no").exists()


def test_what_the_teacher_took_is_unknown_where_its_vectors_were_made_beforehand(train: Train) -> None:
    """The scores alone are products of vectors, and take next to no time."""
    cost = teacher_cost.of_student(str(train("costs", steps=1)))
    assert cost.seconds is None
    assert cost.pairs > 0


def test_a_static_student_of_vectors_has_its_own_rate(train: Train, tiny_encoder: str, static_student: str) -> None:
    out = train("static", teacher=tiny_encoder, model=static_student, loss="leaf")
    assert manifest.expect(out, "student", "train").parameters["learning_rate"] == 1e-3


def test_a_split_that_nobody_judged_has_scores_of_its_best_documents_alone(
    train: Train, folder: Path, tmp_path: Path
) -> None:
    every = [one.turn_id for one in sessions.read(folder).asked("train")]
    unjudged(folder, *every)
    (folder / "qrels" / "train.tsv").unlink()
    with pytest.raises(DataError, match="unlabelled top"):
        train("no", steps=1)
    assert log(train(steps=1, unlabelled="top"))["view"]["rows"] == len(every)


def test_judgements_of_a_question_in_another_splits_session_are_told_and_left_out(
    train: Train, folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Its rewrite is none of the split's: there was nothing to search by, and a KeyError."""
    found = sessions.read(folder)
    moved = found.asked("dev")[0].turn_id
    doc_id = next(iter(found.qrels("dev")[moved]))
    with (folder / "qrels" / "train.tsv").open("a") as file:
        file.write(f"{moved}\t{doc_id}\t1\n")
    train(steps=1)
    assert "1 judged queries of 'train' stand in sessions of another split" in caplog.text
    assert set(scores_in(tmp_path / "work").query_texts()) == {one.turn_id for one in found.asked("train")}


def test_a_corrected_label_or_another_name_of_a_rewriter_makes_other_candidates(
    train: Train, folder: Path, tmp_path: Path
) -> None:
    """Another student with the same work was refused: its candidates had the key of the first ones."""
    train("first", steps=1)
    (before,) = (tmp_path / "work").glob("scores-*")
    path = folder / "qrels" / "train.tsv"
    header, first, *rest = path.read_text().splitlines()
    query = first.split("\t")[0]
    other = next(one for one in load(folder).contents if one not in load(folder).qrels("train")[query])
    kept = [row for row in rest if not row.startswith(f"{query}\t")]
    path.write_text("\n".join([header, f"{query}\t{other}\t1", *kept]) + "\n")
    train("corrected", steps=1)
    (after,) = set((tmp_path / "work").glob("scores-*")) - {before}
    of_query = ScoreStore(after).candidates().filter((pl.col("query_id") == query) & (pl.col("label") > 0))
    assert of_query["doc_id"].unique().to_list() == [other]

    def change(session: dict[str, Any]) -> None:
        for turn in session["turns"]:
            if "rewrites" in turn:
                turn["rewrites"]["same"] = turn["rewrites"]["human"]

    rewritten(folder, change)
    train("named", steps=1, rewrites="same")
    assert len(list((tmp_path / "work").glob("scores-*"))) == 3


def test_a_session_evaluation_has_the_measures_of_the_field_and_means_by_turn(
    train: Train, folder: Path, tiny_splade: str, tmp_path: Path
) -> None:
    student, index = train(model=tiny_splade, type="splade"), rd.index(folder, tiny_splade, tmp_path / "index")
    found = rd.evaluate(None, student, tmp_path / "E", sessions=folder, split="test", index=index)
    qrels = sessions.read(folder).qrels("test")
    run = list(ir_measures.read_trec_run(str(tmp_path / "E" / "run.trec")))
    names = {"ndcg_at_3": nDCG @ 3, "ndcg_at_5": nDCG @ 5, "mrr": RR, "recall_at_10": R @ 10, "recall_at_100": R @ 100}
    expected = ir_measures.calc_aggregate(list(names.values()), qrels, run)
    for name, measure in names.items():
        assert found.system.measures[name] == pytest.approx(expected[measure], abs=1e-9)
    assert found.turns is not None
    depths = {one.group: one for one in found.turns.groups if one.by == "depth"}
    assert {name: one.queries for name, one in depths.items()} == {"1": 2, "2": 2, "3": 2}
    third = [one.turn_id for one in sessions.read(folder).asked("test") if one.depth == 3]
    alone = ir_measures.calc_aggregate(
        [nDCG @ 3], {query: qrels[query] for query in third}, [one for one in run if one.query_id in third]
    )
    assert depths["3"].measures["ndcg_at_3"] == pytest.approx(alone[nDCG @ 3], abs=1e-9)
    assert {one.group for one in found.turns.groups if one.by == "topic"} == {"shift"}
    assert found.turns.query_terms is not None
    assert found.turns.flops is not None
    assert 0 < found.turns.flops <= found.turns.query_terms
    assert "depth 1" in str(found)
    assert rd.open(tmp_path / "E").turns == found.turns
    rewrite = rd.evaluate(None, index, tmp_path / "R", sessions=folder, split="test", reads="rewrite:human")
    compared = rd.compare([found, rewrite])
    assert {"ndcg_at_3", "ndcg_at_10", "mrr"} <= {one.measure for one in compared.comparisons}


def test_what_is_read_of_a_turn_is_named_or_what_the_model_was_trained_on(
    train: Train, folder: Path, tiny_encoder: str, tmp_path: Path
) -> None:
    last = rd.evaluate(None, tiny_encoder, tmp_path / "last", sessions=folder, split="test")
    questions = rd.evaluate(folder, tiny_encoder, tmp_path / "plain", split="test")
    assert last.system.measures["ndcg_at_10"] == pytest.approx(questions.system.measures["ndcg_at_10"], abs=1e-9)
    assert questions.turns is None
    rewritten = load(folder).asking(sessions.read(folder).rewrites("human"))
    human = rd.evaluate(None, tiny_encoder, tmp_path / "human", sessions=folder, split="test", reads="rewrite:human")
    plain = rd.evaluate(rewritten, tiny_encoder, tmp_path / "rewritten", split="test")
    assert human.system.measures["ndcg_at_10"] == pytest.approx(plain.system.measures["ndcg_at_10"], abs=1e-9)
    words = rd.evaluate(None, "bm25", tmp_path / "words", sessions=folder, split="test", reads="newest_first")
    assert words.queries == 6
    for given, said in (({"reads": "rewrite:nobody"}, "rewrites of"), ({"reads": "sideways"}, "a format of")):
        with pytest.raises(ConfigError, match=said):
            rd.evaluate(None, "bm25", tmp_path / "no", sessions=folder, split="test", **given)
    with pytest.raises(ConfigError, match="sessions"):
        rd.evaluate(folder, "bm25", tmp_path / "no", reads="last_turn")
    with pytest.raises(ConfigError, match="a collection"):
        rd.evaluate(None, "bm25", tmp_path / "no")


def without_judgements(folder: Path) -> Path:
    """Published sessions beside their documents: no queries, no judgements of the folder's own."""
    (folder / "queries.jsonl").unlink()
    for path in (folder / "qrels").iterdir():
        path.unlink()
    (folder / "qrels").rmdir()
    return folder


def test_sessions_beside_documents_alone_are_asked_and_judged_as_the_sessions_say(
    folder: Path, tiny_encoder: str, tmp_path: Path
) -> None:
    before = rd.evaluate(None, tiny_encoder, tmp_path / "before", sessions=folder, split="test")
    after = rd.evaluate(None, tiny_encoder, tmp_path / "after", sessions=without_judgements(folder), split="test")
    assert after.queries == before.queries == 6
    assert after.system.measures == before.system.measures
    assert before.turns is not None
    assert before.turns.reads == "last_turn", "the model was trained to read no conversations"


def test_judged_documents_that_the_collection_lacks_are_told_and_all_of_them_refused(
    train: Train, folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """They count as relevant and never found: measures fall, and nothing is said."""
    gold = sessions.read(folder).qrels("test")
    lost = next(iter(next(iter(gold.values()))))
    rows = (folder / "corpus.jsonl").read_text().splitlines()
    (folder / "corpus.jsonl").write_text("".join(f"{row}\n" for row in rows if json.loads(row)["_id"] != lost))
    rd.evaluate(None, "bm25", tmp_path / "some", sessions=folder, split="test")
    assert "judgements of 'test' name documents that the corpus lacks" in caplog.text
    caplog.clear()
    for session in sessions.read(folder).sessions:
        if session.split == "train":
            lost = next(iter(session.asked[0].turn.gold))
    rows = (folder / "corpus.jsonl").read_text().splitlines()
    (folder / "corpus.jsonl").write_text("".join(f"{row}\n" for row in rows if json.loads(row)["_id"] != lost))
    train("told", steps=1, positives_without_score="maximum")
    assert "judgements of 'train' name documents that the corpus lacks" in caplog.text
    other = tmp_path / "other"
    other.mkdir()
    (other / "corpus.jsonl").write_text("".join(f'{{"_id": "x{n}", "text": "a river"}}\n' for n in range(3)))
    with pytest.raises(DataError, match="judged in 'test'"):
        rd.evaluate(other, "bm25", tmp_path / "none", sessions=folder, split="test")
    with pytest.raises(DataError, match="judged in 'train'"):
        train("none", sessions=rd.sessions.read(folder), documents=other)


def test_what_is_read_is_reported_and_an_engine_reads_as_the_student_was_trained(
    train: Train, folder: Path, tiny_encoder: str, tmp_path: Path
) -> None:
    student, index = train(steps=1, reads="newest_first:2"), rd.index(folder, tiny_encoder, tmp_path / "index")
    given: dict[str, Any] = {"sessions": folder, "split": "test", "backend": "torch"}
    rd.push(index, to="qdrant", url=str(tmp_path / "q"), collection="c", exact=True)
    asked = {"engine": "qdrant", "url": str(tmp_path / "q"), "collection": "c"}
    here = rd.evaluate(None, student, tmp_path / "here", index=index, **given)
    there = rd.evaluate(None, student, tmp_path / "there", **asked, **given)
    assert there.system.measures == pytest.approx(here.system.measures)
    last = rd.evaluate(None, student, tmp_path / "last", index=index, reads="last_turn", **given)
    assert last.system.measures != here.system.measures
    of_documents = rd.evaluate(None, None, tmp_path / "own", **asked, **given)
    words = rd.evaluate(None, "bm25", tmp_path / "words", sessions=folder, split="test")
    run = rd.evaluate(None, tmp_path / "here" / "run.trec", tmp_path / "run", sessions=folder, split="test")
    said = [one.turns.reads for one in (here, there, last, of_documents, words, run) if one.turns is not None]
    trained = "newest_first:2, as the model was trained"
    assert said == [
        trained,
        trained,
        "last_turn",
        "last_turn",
        "last_turn",
        "nothing: a run, which was answered before",
    ]
    with pytest.raises(ConfigError, match="a service, which does not say"):
        rd.evaluate(None, "http://127.0.0.1:9/v1", tmp_path / "no", sessions=folder, split="test")


def test_indexes_of_models_that_read_in_several_ways_need_one_that_is_named(
    train: Train, folder: Path, tiny_encoder: str, tmp_path: Path
) -> None:
    own = rd.index(folder, train(steps=1), tmp_path / "of-student")
    words = rd.index(folder, None, tmp_path / "words", backend="bm25")
    given: dict[str, Any] = {"sessions": folder, "split": "test", "fusion": "rrf"}
    found = rd.evaluate(None, [words, own], tmp_path / "E", **given)
    assert found.turns is not None
    assert found.turns.reads == "newest_first, as the model was trained", "the first index has no model"
    plain = rd.index(folder, tiny_encoder, tmp_path / "plain")
    with pytest.raises(ConfigError, match="read conversations alike"):
        rd.evaluate(None, [plain, own], tmp_path / "no", **given)


@pytest.fixture
def scored(train: Train, folder: Path, tmp_path: Path) -> Path:
    """A file of DiSCo's form with the scores that the student `through` learnt, in a folder without judgements.

    Positives stand in it too, which the file does not say.
    """
    without_judgements(folder)
    train("through", rewrites="human")
    found: dict[str, dict[str, float]] = {}
    for query, doc, score in scores_in(tmp_path / "work").scores("human").iter_rows():
        found.setdefault(query, {})[doc] = score
    (tmp_path / "disco.json").write_text(json.dumps(found))
    return tmp_path / "disco.json"


LIKE_A_COSINE = {"scale": 1.0, "student_temperature": 0.05, "teacher_temperature": 0.05}
STORED: dict[str, Any] = {**SCORES, "teacher": None, "rewrites": None, "work": None, "ranks": None, **LIKE_A_COSINE}


def test_scores_from_elsewhere_train_the_same_student_of_conversations(
    train: Train, folder: Path, scored: Path, tiny_encoder: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What other programs scored was trained on with the last turn alone, and the student said nothing of that."""
    store = rd.import_scores(scored, tmp_path / "store", format="disco", teacher_name="theirs", data=folder)
    given = STORED | {"store": store, "document_tower": tiny_encoder}
    recorder = Recorder()
    ours, theirs = tmp_path / "through", train("imported", **given, progress=recorder)
    assert recorder.ran == ["reading", "training"]
    assert conversation.read(theirs) == conversation.read(ours)
    told, alone = log(theirs), log(ours)
    assert told["loss"] == alone["loss"]
    assert told["view"]["rows"] == alone["view"]["rows"] == 26
    made = manifest.expect(theirs, "student", "train").parameters
    assert made["loss"] == "disco"
    assert made["derivation"].keys() == {"queries"}
    index = rd.index(folder, tiny_encoder, tmp_path / "index")
    found = rd.evaluate(None, theirs, tmp_path / "E", sessions=folder, split="test", index=index)
    assert found.turns is not None
    assert found.turns.reads == "newest_first, as the model was trained"
    last = train("last", **given | {"reads": "last_turn"})
    assert log(last)["loss"] != told["loss"]
    ids = rd.import_scores(scored, tmp_path / "ids", format="disco", teacher_name="theirs")
    by_label = train("of-ids", **given | {"store": ids, "unlabelled": "top", "steps": 1})
    assert manifest.expect(by_label, "student", "train").parameters["derivation"].keys() == {"queries", "texts"}


def test_stored_scores_of_what_a_test_asks_or_of_other_questions_are_left_out(
    train: Train, leaky: Path, tiny_encoder: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    found = {one.turn_id: {f"d{n}": float(n) for n in range(8)} for one in sessions.read(leaky).asked()}
    docs = list(load(leaky).contents)[:8]
    content = {query: dict(zip(docs, scores.values(), strict=True)) for query, scores in found.items()}
    (tmp_path / "all.json").write_text(json.dumps(content))
    store = rd.import_scores(tmp_path / "all.json", tmp_path / "all", format="disco", teacher_name="t", data=leaky)
    given = STORED | {"unlabelled": "top", "steps": 1, "document_tower": tiny_encoder}
    out = train("left", **given | {"store": store})
    assert log(out)["view"]["rows"] == 11
    assert "1 of 12 conversations of 'train' say the same as" in caplog.text
    (tmp_path / "few.json").write_text(json.dumps({"QReCC-Train_1_1": next(iter(content.values()))}))
    other = rd.import_scores(tmp_path / "few.json", tmp_path / "few", format="disco", teacher_name="t")
    with pytest.raises(DataError, match="as QReCC-Train_1_1; the questions are called"):
        train("no", **given | {"store": other})
    with pytest.raises(ConfigError, match="a store, and rewrites"):
        train("no", **given | {"store": store, "rewrites": "human"})
    with pytest.raises(ConfigError, match="a store of vectors"):
        train("no", **given | {"store": rd.embed(leaky, tiny_encoder, tmp_path / "vectors")})


def test_the_loss_of_a_file_of_settings_is_not_replaced(
    train: Train, folder: Path, tiny_encoder: str, tmp_path: Path
) -> None:
    (tmp_path / "settings.yaml").write_text("loss: kl_div\n")
    out = train(config=tmp_path / "settings.yaml", steps=1)
    assert manifest.expect(out, "student", "train").parameters["loss"] == "kl_div"
    (tmp_path / "settings.yaml").write_text("loss: leaf\n")
    given: dict[str, Any] = SMALL | {"steps": 1, "sessions": folder, "teacher": tiny_encoder, "rewrites": "human"}
    aligned = rd.train(None, None, tiny_encoder, tmp_path / "al", config=tmp_path / "settings.yaml", **given)
    assert manifest.expect(aligned.path, "student", "train").parameters["loss"] == "leaf"


@pytest.mark.parametrize("content", [None, "loss: [\n", "- loss\n"])
def test_a_file_of_settings_that_is_none_is_refused(
    train: Train, folder: Path, tmp_path: Path, content: str | None
) -> None:
    path = tmp_path / "broken.yaml"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigError, match="one `setting: value` a line"):
        train("no", config=path)
    query, judged = next(iter(load(folder).qrels("train").items()))
    (tmp_path / "disco.json").write_text(json.dumps({query: dict.fromkeys(judged, 1.0)}))
    store = rd.import_scores(tmp_path / "disco.json", tmp_path / "store", format="disco", teacher_name="t", data=folder)
    with pytest.raises(ConfigError, match="one `setting: value` a line"):
        train("no", **STORED | {"store": store, "config": path})


def test_candidates_come_from_the_teachers_own_index(
    train: Train, folder: Path, tiny_splade: str, tiny_encoder: str, six_layers: str, tmp_path: Path
) -> None:
    for number, index in enumerate(
        (
            rd.index(folder, None, tmp_path / "words", backend="bm25"),
            rd.index(folder, tiny_splade, tmp_path / "sparse", kind="sparse"),
        )
    ):
        with pytest.raises(ConfigError, match="an index of the teacher"):
            train(f"no{number}", index=index)
    with pytest.raises(SpaceMismatchError):
        train("other", index=rd.index(folder, six_layers, tmp_path / "other-dense"))


def test_a_session_is_searched_as_its_model_was_trained_to_read_it(
    train: Train, folder: Path, tiny_encoder: str, tmp_path: Path
) -> None:
    student, index = train(), rd.index(folder, tiny_encoder, tmp_path / "index")
    said = ["is it old", "the river is old", "is it deep"]
    text = "is it deep [SEP] the river is old [SEP] is it old"
    wanted = [(hit.doc_id, hit.score) for hit in rd.search(index, text, model=student)[0]]
    roles = [
        {"role": "user", "text": said[0]},
        {"role": "assistant", "text": said[1]},
        {"role": "user", "text": said[2]},
    ]
    for number, content in enumerate((said, roles, {"session_id": "s", "turns": roles})):
        file = tmp_path / f"{number}.json"
        file.write_text(json.dumps(content))
        assert [(hit.doc_id, hit.score) for hit in rd.search(index, session=file, model=student)[0]] == wanted
    assert [(hit.doc_id, hit.score) for hit in rd.search(index, session=said, model=student)[0]] == wanted
    turns = [sessions.Turn("user", said[0]), *roles[1:]]
    assert [(hit.doc_id, hit.score) for hit in rd.search(index, session=turns, model=student)[0]] == wanted
    for wrong in (said[1], {"role": "user"}, None):
        with pytest.raises(ConfigError, match=r"left out of what was said|a sequence of Turn or mapping"):
            rd.search(index, session=[turns[0], wrong, turns[2]], model=student)
    with pytest.raises(ConfigError, match="trained to read conversations"):
        rd.search(index, session=said)
    with pytest.raises(ConfigError, match="queries or a session"):
        rd.search(index, "a", session=said, model=student)
    (tmp_path / "answer.json").write_text(json.dumps(roles[:2]))
    with pytest.raises(ConfigError, match="the last turn is an answer"):
        rd.search(index, session=tmp_path / "answer.json", model=student)
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(DataError, match="something else"):
        rd.search(index, session=tmp_path / "other.json", model=student)


def test_other_arguments_and_sessions_that_cannot_be_trained_on_are_refused(
    train: Train, folder: Path, tiny_encoder: str, tmp_path: Path
) -> None:
    for given, said in (
        ({"teacher": None}, "no teacher"),
        ({"rewrites": None}, "no name of rewrites"),
        ({"rewrites": "nobody"}, "rewrites of"),
        ({"reads": "sideways"}, "a format of"),
        ({"keep_layers": [0]}, "keep_layers"),
        ({"standalone": 0.5}, "standalone"),
        ({"loss": "leaf", "combine": "best"}, "combine"),
        ({"combine": "best"}, "settings that one rewriter has"),
        ({"calibrate": "zscore"}, "calibrate"),
        ({"weights": [1.0]}, "weights"),
        ({"loss": "leaf", "negatives": 3}, "negatives"),
        ({"combine": "worst", "rewrites": ["human", "auto"]}, "a way to combine"),
    ):
        with pytest.raises(ConfigError, match=said):
            train("refused", **given)
    with pytest.raises(ConfigError, match="sessions"):
        rd.train(folder, tmp_path / "store", tiny_encoder, tmp_path / "no", rewrites="human")
    with pytest.raises(ConfigError, match="a store of scores"):
        rd.train(folder, None, tiny_encoder, tmp_path / "no")
    alone = tmp_path / "alone"
    alone.mkdir()
    (alone / "sessions.jsonl").write_bytes((folder / "sessions.jsonl").read_bytes())
    with pytest.raises(ConfigError, match="the documents that the conversations ask for"):
        train("no", sessions=alone)


def test_what_cannot_be_is_refused_before_anything_is_encoded(
    train: Train, tiny_encoder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def encode(*given: object) -> None:
        raise AssertionError("a text was encoded")

    monkeypatch.setattr(EncodedTeacher, "know", encode)
    for given, said in (
        ({"type": "multi-vector"}, "document_tower: a student that is dense or splade can have one"),
        ({"alignment_weight": 1.0, "alignment_teacher": tiny_encoder}, "compared with its documents only"),
        ({"document_regulariser": "flops"}, "are not trained; leave it out"),
        ({"patience": 3}, "a dev split .* beside patience"),
        ({"loss": "leaf", "patience": 3}, "a dev split .* beside patience"),
    ):
        with pytest.raises(ConfigError, match=said):
            train("refused", **given)
    for loss in ("disco", "leaf"):
        with pytest.raises(DataError, match="a split of"):
            train("refused", loss=loss, dev_split="devv")
    assert not list(tmp_path.glob("work/scores-*"))


def test_the_students_queries_are_refused_by_another_models_index(
    train: Train, folder: Path, tiny_splade: str, six_layers: str, tmp_path: Path
) -> None:
    student = train(model=tiny_splade, type="splade", steps=1)
    trained = rd.index(folder, student, tmp_path / "own")
    with pytest.raises(SpaceMismatchError):
        rd.search(trained, "a", model=tiny_splade)


def test_questions_left_out_are_counted_where_evaluations_do_not_compare(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [json.loads(line) for line in (folder / "sessions.jsonl").read_text().splitlines()]
    row = next(row for row in rows if row["split"] == "test")
    asked = next(turn for turn in row["turns"] if turn.get("turn_id"))
    asked["rewrites"] = {}
    asked["gold"] = dict.fromkeys(asked["gold"], 0)
    (folder / "sessions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    qrels = folder / "qrels" / "test.tsv"
    lines = [line.split("\t") for line in qrels.read_text().splitlines()]
    changed = [[*line[:-1], "0"] if line[0] == asked["turn_id"] else line for line in lines]
    qrels.write_text("".join("\t".join(line) + "\n" for line in changed))
    given: dict[str, Any] = {"sessions": folder, "split": "test"}
    whole = rd.evaluate(None, "bm25", tmp_path / "whole", **given)
    count = whole.queries
    assert f"1 of {count} judged questions of 'test' have no relevant document: each counts as 0" in caplog.text
    given["reads"] = "rewrite:human"
    caplog.clear()
    few = rd.evaluate(None, "bm25", tmp_path / "few", missing_rewrites="drop", **given)
    assert "no relevant document" not in caplog.text
    for systems in ([whole, few], [few, whole]):
        with pytest.raises(
            DataError, match=r"judged queries \(qrels_hash\)\n[^$]*--missing-rewrites question"
        ) as caught:
            rd.compare(systems)
        assert {f"{count} and {count - 1} judged", f"{count - 1} and {count} judged"} & {
            caught.value.got.rpartition(": ")[2].removesuffix(" queries (qrels_hash)")
        }
    own = rd.evaluate(None, "bm25", tmp_path / "own", missing_rewrites="question", **given)
    assert len(rd.compare([whole, own]).systems) == 2
