"""Which recipe is chosen for which collection, teacher and budget; and that what is written is what was chosen."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import rankdistill as rd
from rankdistill import data
from rankdistill.errors import ConfigError, DataError, OutputError
from rankdistill.recipe.choosing import choose as choosing
from rankdistill.recipe.choosing import facts, sizes
from rankdistill.recipe.choosing.choose import choose
from rankdistill.recipe.choosing.sizes import by_data, by_minutes
from rankdistill.recipe.choosing.writing import text
from rankdistill.recipe.loading import load
from rankdistill.recipe.staged.schema import StagedRecipe
from rankdistill.training.speed import Speed
from tests.beir_folder import beir_folder
from tests.cli.conftest import rankdistill as rankdistill
from tests.cli.verb import Run

Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """A collection of many documents with so many judged queries a split, and so many of a log."""

    def made(documents: int = 400, log: int = 0, word: str = "river", **judged: int) -> Path:
        texts = {f"d{place}": f"the old {word} is {place} and deep" for place in range(documents)}
        queries = {f"log{place}": f"of a log {place}" for place in range(log)}
        rows: dict[str, list[tuple[str, str, int]]] = {}
        for split, count in judged.items():
            queries |= {f"{split}{place}": f"which {split} {place}" for place in range(count)}
            rows[split] = [(f"{split}{place}", f"d{place % documents}", 1) for place in range(count)]
        folder = beir_folder(tmp_path / f"data{len(list(tmp_path.iterdir()))}", texts, queries, rows)
        if not queries:
            (folder / "queries.jsonl").unlink()
        return folder

    return made


USUAL = {"train": "train", "dev": "dev", "test": ["test"]}
BOTH = {"dev": 150, "test": 300}
CASES: list[tuple[dict[str, int], dict[str, Any], dict[str, Any] | None]] = [
    ({}, USUAL, {"dev": 50, "test": 100}),
    ({"log": 20}, USUAL, {"dev": 50, "test": 100}),
    ({"log": 300}, USUAL | {"train": "unjudged"}, {"dev": 50, "test": 100, "limit_documents": 300}),
    ({"train": 400, "dev": 60, "test": 70}, USUAL, None),
    ({"train": 400, "val": 60, "test": 70, "dl19": 9}, USUAL | {"dev": "val", "test": ["dl19", "test"]}, None),
    ({"train": 400, "test": 70}, USUAL | {"hold_out": {"dev": 50}}, None),
    ({"train": 1000}, USUAL | {"hold_out": BOTH}, None),
    ({"all": 1000}, USUAL | {"train": "all", "hold_out": BOTH}, None),
    ({"train": 1000, "dev": 80}, USUAL | {"hold_out": {"test": 300}}, None),
    ({"train": 90}, USUAL | {"hold_out": {"dev": 22, "test": 45}}, {}),
    ({"test": 70}, USUAL, {"dev": 50}),
    ({"test": 70, "dev": 60}, USUAL, {}),
    ({"test": 70, "dev": 60, "log": 400}, USUAL | {"train": "unjudged"}, None),
    ({"test": 70, "log": 400}, USUAL | {"train": "unjudged"}, {"dev": 50, "limit_documents": 100}),
    ({"dev": 70}, USUAL | {"dev": None, "test": ["dev"]}, {}),
    ({"dev": 70, "log": 400}, USUAL | {"train": "unjudged", "dev": None, "test": ["dev"]}, None),
    ({"val": 70}, USUAL | {"test": ["val"]}, {"dev": 50}),
]  # fmt: skip


@pytest.mark.parametrize(("counts", "wanted", "queries"), CASES, ids=lambda one: str(one)[:40])
def test_splits_are_those_that_are_judged_and_else_generated(
    counts: dict[str, int], wanted: dict[str, Any], queries: dict[str, Any] | None, make: Make, tiny_encoder: str
) -> None:
    recipe, reasons = choose(data.load(make(**counts)), tiny_encoder)
    given = recipe.model_dump(exclude_unset=True)
    assert {name: value for name, value in given["data"].items() if name != "source"} == wanted
    assert given.get("queries") == (None if queries is None else {**queries, "teacher": "bm25"})
    of_log = wanted["train"] == "unjudged"
    assert given["train"].get("unlabelled") == ("top" if of_log else None)
    of_labels = not of_log and queries is None
    assert given["train"].get("contrastive_weight") == (0.5 if of_labels else None)
    assert ("train.contrastive_weight" in reasons) == of_labels
    assert given["texts"].get("query_split") == (None if wanted["train"] == "train" else wanted["train"])
    for place in ("data.train", "data.test", "data.dev", *(() if queries is None else ("queries",))):
        assert reasons[place]


def test_a_size_needs_queries_to_choose_on(make: Make, tiny_encoder: str) -> None:
    with pytest.raises(ConfigError, match="reported on") as caught:
        choose(data.load(make(dev=70)), tiny_encoder, max_mb=5.0)
    assert "qrels/test.tsv" in caught.value.remedy
    recipe, _ = choose(data.load(make(test=70)), tiny_encoder, max_mb=5.0)
    assert recipe.student.max_mb == 5.0


@pytest.mark.parametrize("documents", [40, 500, 501, 999, 1499, 1700])
def test_the_sample_is_spread_over_the_whole_corpus(make: Make, documents: int) -> None:
    sample = facts.look(data.load(make(documents=documents))).sample
    assert len(sample) == min(documents, facts.SAMPLED)
    places = [int(text.split(" is ")[1].split()[0]) for text in sample]
    steps = [later - earlier for earlier, later in itertools.pairwise(places)]
    assert places[0] == 0
    assert places[-1] >= documents - documents / facts.SAMPLED - 1
    assert max(steps) - min(steps) <= 1


@pytest.mark.parametrize("counts", [{}, {"log": 300}, {"train": 1000}, {"test": 70}], ids=str)
def test_what_is_written_is_what_was_chosen_and_each_reason_stands_above_its_setting(
    counts: dict[str, int], make: Make, tiny_encoder: str, tmp_path: Path
) -> None:
    recipe, reasons = choose(data.load(make(**counts)), tiny_encoder, max_mb=5.0)
    (tmp_path / "recipe.yaml").write_text(text(recipe, reasons, "# a heading"))
    written = load(tmp_path / "recipe.yaml")
    assert isinstance(written, StagedRecipe)
    assert written == recipe
    assert written.student.max_mb == 5.0
    lines = (tmp_path / "recipe.yaml").read_text().splitlines()
    assert all(len(line) <= 120 for line in lines if line.lstrip().startswith("#"))
    given = recipe.model_dump(exclude_unset=True)
    for place, reason in reasons.items():
        top, _, name = place.partition(".")
        assert top in given, place
        assert not name or name in given[top], place
        start = next(at for at, line in enumerate(lines) if line.split(":")[0] == top)
        at = start if not name else next(
            one for one in range(start, len(lines)) if lines[one].strip().split(":")[0] == name
        )  # fmt: skip
        above = []
        while lines[at - 1].lstrip().startswith("#"):
            at -= 1
            above.insert(0, lines[at].strip(" #"))
        assert " ".join(above) == " ".join(reason.split()), place


def test_the_teacher_decides_what_is_learnt(
    make: Make, tiny_encoder: str, tiny_cross_encoder: str, tiny_splade: str, tmp_path: Path
) -> None:
    dataset = data.load(make(train=400, dev=60, test=70))
    dense, _ = choose(dataset, tiny_encoder)
    assert dense.space.model == dense.student.model == dense.teacher.model == tiny_encoder
    assert dense.student.keep_layers == [0, 2]
    assert dense.train.in_batch_teacher == "embeddings"
    assert dense.evaluate.rerank_depth == 0
    for other in (tiny_cross_encoder, tiny_splade):
        recipe, reasons = choose(dataset, other)
        assert (recipe.space.model, recipe.teacher.model) == (choosing.BASE, other)
        assert recipe.student.keep_layers == [0, 5]
        assert recipe.train.in_batch_teacher is None
        assert recipe.evaluate.rerank_depth > 0
        assert "no dense model" in reasons["space.model"]
    (tmp_path / "service.yaml").write_text("kind: http\n")
    service, reasons = choose(dataset, str(tmp_path / "service.yaml"))
    assert service.evaluate.rerank_depth == 0
    assert "money" in reasons["evaluate.rerank_depth"]


@pytest.mark.parametrize(
    ("word", "tokenizer"),
    [
        ("river", "bm25"),
        ("река очень глубокая", "bm25:russian"),
        ("川は深くて古い水", "bm25:cjk"),
        ("நதி ஆழமானது பழைய", "bm25:tamil"),
    ],
)
def test_words_are_taken_as_the_script_has_them(word: str, tokenizer: str, make: Make, tiny_encoder: str) -> None:
    recipe, _ = choose(data.load(make(40, word=word * 9)), tiny_encoder)
    assert recipe.mine.sources == [tokenizer]
    assert recipe.queries is not None
    assert recipe.queries.teacher == tokenizer


def test_steps_follow_the_size_of_the_data_and_the_minutes() -> None:
    small, large = by_data(100, 200), by_data(16_000, 13_000)
    assert small.align_steps < large.align_steps <= sizes.MOST_ALIGN
    assert small.train_steps < large.train_steps <= sizes.MOST_TRAIN
    speed = Speed(encoded=100.0, step=0.5, student_encoded=300.0)
    plans = [by_minutes(3000, 2000, 300, speed, minutes, pairs=False) for minutes in (5, 10, 30, 60)]
    assert [one.align_steps for one in plans] == sorted(one.align_steps for one in plans)
    assert plans[0].align_steps < plans[-1].align_steps
    for minutes, one in zip((10, 30, 60), plans[1:], strict=True):
        assert one.minutes is not None
        assert one.minutes <= 1.02 * minutes
    assert not by_minutes(20_000, 2000, 300, speed, 5, pairs=False).whole
    slow = by_minutes(1_000_000, 2000, 300, speed, 10, pairs=False)
    assert slow.align_steps == sizes.LEAST_ALIGN
    assert "fewest" in slow.reasons["align.steps"]
    both = by_minutes(3000, 2000, 300, speed, 30, pairs=True)
    assert both.align_steps < plans[2].align_steps


def test_minutes_are_measured_on_the_collection(
    make: Make, tiny_encoder: str, torch_alone: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = data.load(make(60))
    recipe, reasons = choose(dataset, tiny_encoder, minutes=3.0)
    assert "of 3 minutes by what was measured here" in reasons["align.steps"]
    assert recipe.evaluate.embedding_teacher
    monkeypatch.setattr(choosing, "measure", lambda *given: Speed(encoded=0.5, step=5.0, student_encoded=1.0))
    slow, reasons = choose(dataset, tiny_encoder, minutes=3.0)
    assert slow.align.steps == sizes.LEAST_ALIGN
    assert slow.train.in_batch_teacher is None
    assert slow.texts.limit is not None
    assert reasons["texts.limit"]
    assert slow.evaluate.rerank_depth > 0
    assert not slow.evaluate.embedding_teacher


def test_a_collection_of_a_few_documents_alone_is_refused(make: Make, tiny_encoder: str) -> None:
    with pytest.raises(DataError, match="16 documents"):
        choose(data.load(make(9)), tiny_encoder)


def test_init_writes_once_and_says_what_it_chose(
    make: Make, tiny_encoder: str, tmp_path: Path, rankdistill: Run
) -> None:
    folder, out = make(train=400, test=70), tmp_path / "below" / "recipe.yaml"
    status, shown = rankdistill("init", "--data", folder, "--teacher", tiny_encoder, "--out", out)
    assert status == 0
    assert f"rankdistill run {out}" in shown
    assert "400 judged queries, enough to train on" in shown
    before = out.read_bytes()
    status, shown = rankdistill("init", "--data", folder, "--teacher", tiny_encoder, "--out", out)
    assert status == 1
    assert "OutputError" in shown
    assert out.read_bytes() == before
    with pytest.raises(OutputError, match="a folder"):
        rd.init(folder, tmp_path, teacher=tiny_encoder)
    with pytest.raises(ConfigError, match=r"minutes of at least 0\.01"):
        rd.init(folder, tmp_path / "other.yaml", teacher=tiny_encoder, minutes=0)
    found = rd.init(folder, tmp_path / "other.yaml", teacher=tiny_encoder)
    assert found.recipe == load(out)
    assert found.to_polars().columns == ["setting", "value", "because"]
    assert found.to_json()["recipe"]["data"]["hold_out"] == {"dev": 50}


QUICK = [
    "align.steps=4", "align.eval_steps=4", "align.log_steps=2", "align.batch_size=4", "train.steps=4",
    "train.eval_steps=4", "train.log_steps=2", "train.batch_size=4", "evaluate.latency_queries=2",
    "score.backend=torch", "space.backend=torch",
]  # fmt: skip
"""The written recipe, with few steps; what random models learn is nothing anyway."""


@pytest.mark.slow
@pytest.mark.usefixtures("torch_alone")
@pytest.mark.parametrize(
    "left_out",
    [(), ("qrels",), ("qrels", "queries.jsonl"), ("dev.tsv", "test.tsv"), ("train.tsv", "dev.tsv")],
    ids=["judged", "log", "documents alone", "train alone", "test alone"],
)
def test_a_written_recipe_runs_to_the_end_on_the_tiny_collection(
    left_out: tuple[str, ...], tiny_beir: Path, tiny_encoder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil

    from rankdistill.recipe.choosing import splits

    monkeypatch.setattr(splits, "FEWEST", 5)
    shutil.copytree(tiny_beir, tmp_path / "data", ignore=shutil.ignore_patterns(*left_out))
    chosen = rd.init(tmp_path / "data", tmp_path / "recipe.yaml", teacher=tiny_encoder)
    (results,) = rd.run(chosen, [*QUICK, f"out={tmp_path / 'run'}"])
    names = [system.name for system in results.systems]
    assert names == ["BM25", "student before training", "embedding teacher", "alignment alone", "student"]
    assert [verdict.student for verdict in results.verdicts] == ["student"]
    assert results.split == chosen.recipe.data.test[0]
