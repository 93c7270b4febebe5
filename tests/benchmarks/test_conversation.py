"""The benchmark of conversations at a tiny size, and DiSCo's published settings as they stand."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from benchmarks import conversation, conversation_settings, provenance
from benchmarks.reproductions import disco
from rankdistill import sessions
from rankdistill.sessions import Session, Turn, writing
from tests.conversations import write_tiny_sessions

SETTINGS = sorted(path.stem for path in disco.HERE.glob("disco_*.yaml"))


@pytest.mark.parametrize("name", SETTINGS)
def test_published_settings_are_valid_and_are_the_papers(name: str) -> None:
    content = disco.load(name)
    config = disco.settings(content)
    assert (config.loss, config.type, config.kl_weight, config.contrastive_weight) == ("disco", "splade", 0.99, 0.01)
    assert (config.student_temperature, config.teacher_temperature) == (1.0, 1.0)
    assert (config.negatives, config.sampling, config.batch_size, config.epochs) == (16, "uniform", 10, 5)
    assert (config.learning_rate, config.warmup, config.weight_decay) == (2e-5, 0.01, 0.0)
    assert (config.precision, config.max_query_length, config.positives_without_score) == ("fp16", 256, "maximum")
    assert config.query_regulariser == "none"
    assert (content["train"]["ranks"], content["train"]["reads"]) == ("11:960", "disco")
    assert all(0 < one["value"] < 1 and 0 < one["tolerance"] <= 0.03 for one in content["expected"])
    assert content["expected"] or content["better"]


def test_there_is_one_for_each_of_the_papers_sets() -> None:
    assert SETTINGS == ["disco_qrecc", "disco_topiocqa"]


def test_figures_and_orders_are_held_against_what_was_measured() -> None:
    content = {
        "expected": [{"what": "x", "system": "student", "measure": "mrr", "value": 0.4, "tolerance": 0.01}],
        "better": [{"system": "student", "than": "history", "measure": "mrr"}],
    }

    def passed(student: float, history: float) -> list[bool]:
        found = {"student": {"mrr": student}, "history": {"mrr": history}}
        return [one["passed"] for one in disco.held_against(content, found)]

    assert passed(0.405, 0.2) == [True, True]
    assert passed(0.42, 0.5) == [False, False]


def test_a_reproduction_trains_and_measures_on_sessions_beside_their_documents(
    tiny_beir: Path, tiny_splade: str, tmp_path: Path
) -> None:
    """Published sessions come without queries.jsonl and qrels: what is asked and judged is what the sessions say."""
    folder = write_tiny_sessions(tiny_beir)
    shutil.rmtree(folder / "qrels")
    (folder / "queries.jsonl").unlink()
    content = disco.load("disco_topiocqa")
    content |= {"sessions": folder, "model": tiny_splade, "rewrites": ["human"], "index": {"backend": "exact"}}
    content["split"] = {"train": "train", "test": "test"}
    small = {"ranks": "2:12", "sample": 5, "negatives": 3, "batch_size": 4, "epochs": 1, "precision": "float32"}
    content["train"] |= small | {"max_query_length": 32, "check": "warn"}
    found = disco.measure(content, tmp_path / "work")
    assert found.keys() == {"history", "teacher", "student"}
    assert all(0 < found[system][name] <= 1 for system in found for name in ("mrr", "recall_at_100"))
    assert len(disco.held_against(content, found)) == 6


def test_a_rewriter_is_complete_that_rewrote_all_of_train_and_what_is_judged_elsewhere(tmp_path: Path) -> None:
    both = {"human": ("a b",), "auto": ("a",)}

    def asked(split: str, rewrites: dict[str, tuple[str, ...]], gold: dict[str, int]) -> Session:
        return Session(split, (Turn("user", "a?", f"{split}_1", rewrites, gold),), split)

    rest = [asked("test", both, {"d": 1}), asked("dev", {}, {})]
    for judged in ({}, {"d": 1}):
        writing.write(tmp_path / "sessions.jsonl", [asked("train", {"human": ("a",)}, judged), *rest])
        found = sessions.read(tmp_path)
        assert [conversation.complete(found, name) for name in ("human", "auto")] == [True, False]
    writing.write(tmp_path / "sessions.jsonl", rest)
    assert conversation.complete(sessions.read(tmp_path), "auto"), "there may be no split train"


@pytest.mark.slow
def test_the_benchmark_ends_and_is_not_made_twice(
    tiny_beir: Path, tiny_splade: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = write_tiny_sessions(tiny_beir)
    for name in ("one", "two"):
        shutil.copytree(made, tmp_path / "data" / name)
        as_published(tmp_path / "data" / name)
    monkeypatch.setattr(provenance, "RESULTS", tmp_path)
    monkeypatch.setattr(conversation, "SETTINGS", {"batch_size": 2})
    monkeypatch.setattr(conversation, "RATES", "1e-3")
    words = ["--data", tmp_path / "data", "--work", tmp_path / "work", "--sets", "one,two", "--steps", 2]
    words += ["--seeds", "13", "--models", tiny_splade]
    monkeypatch.setattr(sys, "argv", ["conversation", *map(str, words)])
    results = tmp_path / f"conversation_{conversation.word(tiny_splade)}.json"
    conversation.main()
    found = json.loads(results.read_text())["sets"]
    assert set(found) == {"one", "two"}
    for result in found["one"].values():
        systems = {one["name"] for one in result["against the last turn"]["systems"]}
        assert {"last turn", "history", "human rewrite", "auto rewrite", *conversation.STUDENTS} <= systems
        assert set(conversation.SEVERAL) <= systems
        assert {one["system"] for one in result["disco against alignment"]["comparisons"]} == {"disco"}
        assert all(set(result[f"zero-shot, against the {what}"]) == {"two"} for what in ("history", "questions alone"))
        assert {one["baseline"] for one in result["against the questions alone"]["comparisons"]} == {
            conversation.QUESTIONS
        }
        assert result["by turn"]["disco"]["query_terms"] > 0
    words += ["--first", "two", "--first-steps", 2, "--reads", "newest_first_questions"]
    monkeypatch.setattr(sys, "argv", ["conversation", *map(str, words), "--only", "aligned"])
    conversation.main()
    found = json.loads(results.read_text())
    assert found["asked"]["first"] == "two"
    for result in found["sets"]["one"].values():
        systems = {one["name"] for one in result["against the history"]["systems"]}
        assert {conversation.FIRST, conversation.QUESTIONS, "aligned"} <= systems
    written = {path: path.stat().st_mtime_ns for path in (tmp_path / "work").rglob("model.safetensors")}
    conversation.main()
    assert written == {path: path.stat().st_mtime_ns for path in (tmp_path / "work").rglob("model.safetensors")}


@pytest.mark.slow
def test_settings_are_compared_one_by_one(
    tiny_beir: Path, tiny_splade: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(write_tiny_sessions(tiny_beir), tmp_path / "data" / "one")
    as_published(tmp_path / "data" / "one")
    monkeypatch.setattr(provenance, "RESULTS", tmp_path)
    monkeypatch.setattr(conversation, "SETTINGS", {"batch_size": 2, "max_query_length": 32})
    monkeypatch.setattr(conversation_settings, "NEGATIVES", (1, 4))
    words = ["--data", tmp_path / "data", "--work", tmp_path / "work", "--sets", "one", "--steps", 2, "--seeds", "13"]
    words += ["--models", tiny_splade, "--rate", "1e-3"]
    monkeypatch.setattr(sys, "argv", ["conversation_settings", *map(str, words)])
    conversation_settings.main()
    name = f"conversation_settings_{conversation.word(tiny_splade)}.json"
    (result,) = json.loads((tmp_path / name).read_text())["sets"]["one"].values()
    compared = {one["system"] for one in result["against disco"]["comparisons"]}
    here = conversation_settings.place(
        tmp_path / "data" / "one",
        conversation_settings.argparse.Namespace(work=tmp_path / "work", first=None, reads=None),
        tiny_splade,
        tiny_splade,
    )
    every = conversation_settings.students(here, "human")
    assert {title for title in every if title.startswith(("FLOPS", "rewrites of all"))}
    assert compared == {
        *every,
        "last turn",
        "history",
        "history, questions alone",
        *(f"{one} rewrite" for one in ("human", "auto")),
    } - {"disco"}
    assert {one["system"] for one in result["standalone queries"]["comparisons"]} == {
        f"{title}{conversation.ALONE}" for title in every
    }


def as_published(folder: Path) -> None:
    """The sessions of a folder as a `queries.jsonl` whose queries have a history and rewrites."""
    rows = []
    for line in (folder / "sessions.jsonl").read_text().splitlines():
        said: list[dict[str, str]] = []
        for turn in json.loads(line)["turns"]:
            if "turn_id" in turn:
                rewrites = {name: texts for name, texts in turn["rewrites"].items()}
                row = {"_id": turn["turn_id"], "text": turn["text"], "history": list(said), "rewrites": rewrites}
                rows.append(row | {"metadata": turn["metadata"]})
            said.append({"role": turn["role"], "text": turn["text"]})
    (folder / "sessions.jsonl").unlink()
    (folder / "queries.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
