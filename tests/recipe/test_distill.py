"""From files to a bundle with a verdict: each form of input to its end, resuming, refusing, asking what it takes."""

from __future__ import annotations

import json
import logging
import random
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rankdistill as rd
from rankdistill import manifest
from rankdistill.errors import (
    ConfigError,
    DataError,
    MissingDependencyError,
    ModelReferenceError,
    OutputError,
    StaleOutputError,
)
from rankdistill.inference import TextEncoder
from rankdistill.recipe.choosing import choose as choosing
from rankdistill.recipe.choosing import sizes, splits
from rankdistill.recipe.distilling.result import Distilled, Planned
from rankdistill.training.speed import Speed
from tests.beir_folder import beir_folder
from tests.cli.conftest import rankdistill as rankdistill
from tests.cli.verb import Run
from tests.conftest import TOPICS, write_tiny_beir
from tests.conftest import WORDS as WORDS_OF_TEXTS
from tests.forked import COMMAND, Forked
from tests.processor import need_instructions
from tests.recipe.recorder import Recorder

QUICK = [
    "align.steps=4", "align.eval_steps=4", "align.log_steps=2", "align.batch_size=4", "train.steps=4",
    "train.eval_steps=4", "train.log_steps=2", "train.batch_size=4", "evaluate.latency_queries=2",
    "score.backend=torch", "space.backend=torch",
]  # fmt: skip
"""The recipe that is chosen, with few steps; what random models learn is nothing anyway."""

FILES = 208

WORDS = [word for one in QUICK for word in ("--set", one)]

pytestmark = pytest.mark.usefixtures("torch_alone", "fast")


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine of known speed, so that what is chosen does not depend on this one."""
    speed = Speed(encoded=1000.0, step=0.05, student_encoded=3000.0)
    monkeypatch.setattr(choosing, "measure", lambda *given: speed)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Text files, some of them below; a quarter of them gives as many test queries as a verdict asks for."""
    root = tmp_path / "texts"
    (root / "below").mkdir(parents=True)
    for place in range(FILES):
        topic = TOPICS[place % len(TOPICS)]
        name = f"below/{place}.md" if place % 3 == 0 else f"{place}.txt"
        words = f"the {topic} is deep and old. it is {place} stone north of the {topic}, slow and round."
        (root / name).write_text(f"# {topic} {place}\n\n{words}\n" if name.endswith("md") else f"{words}\n")
    return root


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few queries of a log are enough."""
    monkeypatch.setattr(splits, "FEWEST", 5)


def distilled(documents: Any, out: Path, teacher: str, **settings: Any) -> Distilled:
    """A whole way, with few steps and without ONNX files."""
    made = rd.distill(documents, out, **{"teacher": teacher, "overrides": QUICK, "onnx": False, **settings})
    assert isinstance(made, Distilled)
    return made


def test_a_folder_of_texts_comes_to_a_bundle_with_a_verdict(
    folder: Path, tiny_encoder: str, tmp_path: Path, rankdistill: Run
) -> None:
    out = tmp_path / "out"
    words = ["distill", "--documents", folder, "--teacher", tiny_encoder, "--out", out, "--no-onnx", *WORDS]
    status, said = rankdistill(*words)
    # What a random model learns in four steps is no reason to ship anything.
    assert status == 2, said
    for told in ("1 of 6: documents", "3 of 6: run", "6 of 6: verdict", "Refuse student", "queries were made of"):
        assert told in said, told
    assert f"rankdistill serve {out / 'bundle'} --index {out / 'index'}" in said
    results = json.loads((out / "results.json").read_text())
    assert [one["name"] for one in results["systems"]] == [
        "BM25", "student before training", "embedding teacher", "alignment alone", "student",
    ]  # fmt: skip
    assert "Refuse student" in (out / "report.html").read_text()
    assert len(rd.search(out / "index", "old river", model=out / "bundle", k=FILES)[0]) == FILES
    status, told = rankdistill("status", out)
    assert status == 0
    assert "student-student done" in told
    again, told = rankdistill(*words)
    assert again == 2
    assert "is up to date" in told
    assert "3 of 6" not in told


def of_csv(tmp_path: Path, tiny_beir: Path) -> dict[str, Any]:
    """A CSV of the tiny collection's documents, and a log of its queries."""
    rows = [json.loads(line) for line in (tiny_beir / "corpus.jsonl").read_text().splitlines()]
    lines = ["sku,description,price", *(f'{row["_id"]},"{row["title"]}. {row["text"]}",3' for row in rows)]
    (tmp_path / "docs.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "log.jsonl").write_text(
        "".join(json.dumps({"text": f"which {topic} is {word}"}) + "\n" for topic in TOPICS for word in ("old", "deep"))
    )
    return {
        "documents": tmp_path / "docs.csv",
        "id": "sku",
        "text": "description",
        "queries": tmp_path / "log.jsonl",
    }


def of_judgements(tmp_path: Path, tiny_beir: Path) -> dict[str, Any]:
    """The tiny collection as it is."""
    return {"documents": tiny_beir}


def of_clicks(tmp_path: Path, tiny_beir: Path) -> dict[str, Any]:
    """Documents in JSON lines, with clicks."""
    shutil.copy(tiny_beir / "corpus.jsonl", tmp_path / "rows.jsonl")
    lines = ["query,doc_id,clicks"]
    lines += [f"what {topic} {word},d{place:02d},{place % 3 + 1}" for place, (topic, word) in enumerate(
        (topic, word) for topic in TOPICS for word in ("deep", "old", "slow", "north", "iron")
    )]  # fmt: skip
    (tmp_path / "clicks.csv").write_text("\n".join(lines) + "\n")
    return {"documents": tmp_path / "rows.jsonl", "clicks": tmp_path / "clicks.csv"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("given", "train"),
    [(of_csv, "unjudged"), (of_judgements, "train"), (of_clicks, "train")],
    ids=["CSV and a log", "judgements", "clicks"],
)
def test_each_form_of_input_comes_to_its_end(
    given: Callable[[Path, Path], dict[str, Any]],
    train: str,
    tmp_path: Path,
    tiny_beir: Path,
    tiny_encoder: str,
    log: None,
) -> None:
    settings = given(tmp_path, tiny_beir)
    made = distilled(settings.pop("documents"), tmp_path / "out", tiny_encoder, **settings)
    recipe = rd.run(made.recipe)  # done already: what was written is what was run
    assert [one.split for one in recipe] == ["test"]
    assert f"train: {train}" in made.recipe.read_text()
    (verdict,) = made.results.verdicts
    assert verdict.finding("queries").figures["queries"] == made.results.queries
    assert rd.search(made.index, "old river", model=made.bundle, k=3)[0]
    assert (tmp_path / "out" / "data").exists() == (given is not of_judgements)


@pytest.mark.slow
def test_the_int8_file_is_made_and_judged_and_the_recipe_alone_gives_the_same_student(
    folder: Path, tiny_encoder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnxruntime")
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    made = distilled(folder, tmp_path / "out", tiny_encoder, onnx=True)
    assert not logging.getLogger().handlers  # ONNX Runtime warns there, which would show all that is told twice
    assert (made.bundle / "query" / "onnx" / "model_int8.onnx").is_file()
    int8 = made.results.verdicts[0].finding("int8")
    assert int8.judged
    assert int8.figures["ndcg_int8"] is not None
    rd.run(made.recipe, [f"out={tmp_path / 'again'}"])
    (student,) = (tmp_path / "again" / "steps").glob("student-student-*")
    weights = "model.safetensors"
    assert (student / weights).read_bytes() == (made.bundle / "query" / weights).read_bytes()


@pytest.mark.slow
def test_a_cross_encoder_teaches_what_starts_from_an_encoder(
    folder: Path, tiny_encoder: str, tiny_cross_encoder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in ("choosing.choose", "distill"):
        monkeypatch.setattr(f"rankdistill.recipe.{place}.BASE", tiny_encoder)
    made = distilled(folder, tmp_path / "out", tiny_cross_encoder, passage_tokens=40)
    names = [one.name for one in made.results.systems]
    assert names[-2:] == ["student", "teacher re-ranking BM25's 30"]
    assert made.results.verdicts[0].finding("teacher").judged
    assert rd.search(made.index, "old river", model=made.bundle, k=1)[0][0].doc_id.endswith("#1")


@pytest.mark.slow
def test_a_student_that_learns_is_shipped_and_the_command_ends_with_0(
    tiny_encoder: str, tmp_path: Path, rankdistill: Run
) -> None:
    """The labels are the teacher's own nearest half: what is learnt of its vectors shows, and words know nothing."""
    pytest.importorskip("onnxruntime")
    need_instructions("onnx-int8")
    draw = random.Random(5)
    documents, queries = (
        {f"{kind}{place}": " ".join(draw.choices([*TOPICS, *WORDS_OF_TEXTS], k=length)) for place in range(count)}
        for kind, length, count in (("d", 12, 300), ("q", 6, 600))
    )
    teacher = TextEncoder(tiny_encoder, "torch")
    scores = teacher.encode_queries([*queries.values()]) @ teacher.encode_documents([*documents.values()]).T
    nearest = np.argsort(-scores, axis=1)[:, :160]
    places = {"train": range(400), "dev": range(400, 460), "test": range(460, 600)}
    judged = {
        split: [(f"q{one}", f"d{near}", 1) for one in part for near in nearest[one]] for split, part in places.items()
    }
    data = beir_folder(tmp_path / "data", documents, queries, judged)
    more = ["align.steps=600", "align.eval_steps=600", "align.batch_size=32", "align.learning_rate=0.003"]
    words = [word for one in (*QUICK, *more, "train.learning_rate=1e-6") for word in ("--set", one)]
    command = ["distill", "--data", data, "--teacher", tiny_encoder, "--out", tmp_path / "out", *words]
    status, said = rankdistill(*command)
    assert status == 0, said
    assert "Ship student: nDCG@10" in said
    assert "next: rankdistill serve" in said
    assert rankdistill(*command)[0] == 0
    assert rankdistill("verdict", tmp_path / "out")[0] == 0


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["convert", "student-student", "bundle", "verdict"])
def test_an_interrupted_call_goes_on_and_ends_with_the_same_bytes(
    stage: str, folder: Path, tiny_encoder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"

    class Interrupts(Recorder):
        def stage(self, name: str, unit: str, total: int | None = None) -> Any:
            found = super().stage(name, unit, total)
            if name.endswith(f": {stage}") and self.interrupt:
                raise KeyboardInterrupt
            return found

    monkeypatch.chdir(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        distilled(Path("texts"), Path("out"), tiny_encoder, progress=Interrupts(interrupt="yes"))
    monkeypatch.chdir(folder)  # what is begun from one folder is gone on with from another
    assert not (out / "results.json").exists()
    recorder = Recorder()
    made = distilled(folder, out, tiny_encoder, progress=recorder)
    assert made.results.verdicts
    done_before = {"convert": 0, "student-student": 5, "bundle": 10, "verdict": 10}[stage]
    assert sum(", step" in name for name in recorder.ran) <= 16 - done_before
    whole = distilled(folder, tmp_path / "whole", tiny_encoder)
    for name in ("bundle", "index"):
        theirs, ours = (
            {path.relative_to(root / name): path.read_bytes() for path in (root / name).rglob("*") if path.is_file()}
            for root in (out, whole.path)
        )
        assert theirs.keys() == ours.keys()
        # Manifests name the student by its path, and the command.
        assert {path.name for path in ours if theirs[path] != ours[path]} <= {manifest.FILE_NAME}


@pytest.mark.slow
@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda one: one.name)
def test_a_process_that_is_killed_while_it_trains_is_gone_on_with(
    sent: signal.Signals, folder: Path, tiny_encoder: str, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    words = ["distill", "--documents", folder, "--teacher", tiny_encoder, "--out", out, "--no-onnx", *WORDS]
    with Forked(COMMAND, *words) as process:
        while not [*out.glob("run/steps/aligned-*")]:
            assert process.runs, process.errors
            time.sleep(0.01)
        process.send(sent)
        assert process.ended() == {signal.SIGKILL: -9, signal.SIGTERM: 143, signal.SIGINT: 130}[sent]
        assert "Traceback" not in process.errors
    assert not (out / "results.json").exists()
    recipe = (out / "recipe.yaml").read_bytes()
    with Forked(COMMAND, *words) as process:
        assert process.ended() == 2, process.errors
        assert "Refuse student" in process.out
        assert "0 of 16 steps done already" not in process.errors
        assert "2 of 6" not in process.errors
    assert (out / "recipe.yaml").read_bytes() == recipe


def test_what_changed_since_is_named_and_nothing_is_touched(
    folder: Path, tiny_encoder: str, six_layers: str, tmp_path: Path
) -> None:
    out = tmp_path / "out"

    def stopped(name: str, unit: str, total: int | None = None) -> Any:
        raise KeyboardInterrupt

    class Stops(Recorder):
        def stage(self, name: str, unit: str, total: int | None = None) -> Any:
            return super().stage(name, unit, total) if name.startswith(("1", "2")) else stopped(name, unit)

    with pytest.raises(KeyboardInterrupt):
        distilled(folder, out, tiny_encoder, progress=Stops())
    before = (out / "recipe.yaml").read_text()
    with pytest.raises(StaleOutputError, match=r"the teacher's weights or settings changed; teacher was"):
        distilled(folder, out, six_layers)
    with pytest.raises(StaleOutputError, match=r"minutes was 60.0, is now 30"):
        distilled(folder, out, tiny_encoder, minutes=30)
    (folder / "new.txt").write_text("a new document about bread")
    with pytest.raises(StaleOutputError, match="input 'documents' was"):
        distilled(folder, out, tiny_encoder)
    (folder / "new.txt").unlink()
    (out / "recipe.yaml").write_text(before.replace("steps: 4", "steps: 5", 1))
    with pytest.raises(StaleOutputError, match=r"(?s)changed since.*rankdistill run") as caught:
        distilled(folder, out, tiny_encoder)
    assert "bundle and verdict would be of another recipe" in str(caught.value)


def test_changed_judgements_are_named(tiny_beir: Path, tiny_encoder: str, tmp_path: Path) -> None:
    out = tmp_path / "out"

    class Stops(Recorder):
        def stage(self, name: str, unit: str, total: int | None = None) -> Any:
            if name.startswith("3"):
                raise KeyboardInterrupt
            return super().stage(name, unit, total)

    with pytest.raises(KeyboardInterrupt):
        distilled(tiny_beir, out, tiny_encoder, progress=Stops())
    qrels = tiny_beir / "qrels" / "test.tsv"
    qrels.write_text(qrels.read_text().replace("\t1\n", "\t2\n", 1))
    with pytest.raises(StaleOutputError, match="the judgements of 'test' changed"):
        distilled(tiny_beir, out, tiny_encoder)
    qrels.unlink()
    with pytest.raises(StaleOutputError, match="the judgements of 'test' went"):
        distilled(tiny_beir, out, tiny_encoder)


@pytest.mark.parametrize(
    ("judged", "shares"),
    [(120, {"test": 120}), (280, {"test": 210, "dev": 70}), (600, {"train": 420, "dev": 60, "test": 120})],
)
def test_judgements_that_are_too_few_to_train_on_are_for_the_verdict(
    judged: int, shares: dict[str, int], folder: Path, tiny_encoder: str, tmp_path: Path
) -> None:
    names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*.*"))
    clicks = ["query,doc_id", *(f"which is number {place},{names[place % len(names)]}" for place in range(judged))]
    (tmp_path / "clicks.csv").write_text("\n".join(clicks) + "\n")
    made = rd.distill(
        folder, tmp_path / "out", clicks=tmp_path / "clicks.csv", teacher=tiny_encoder, plan=True, overrides=QUICK
    )
    assert isinstance(made, Planned)
    assert made.chosen.recipe.data.test == ["test"]
    (told,) = [line for line in made.told if line.startswith("judged on: ")]
    assert not [line for line in made.told if "will refuse" in line]
    assert abs(int(told.split()[2]) - shares["test"]) < 20
    assert made.chosen.recipe.data.hold_out is None
    needs_dev = "dev" not in shares
    assert (made.chosen.recipe.queries is not None) == ("train" not in shares)
    few = rd.distill(
        write_tiny_beir(tmp_path / "few"), tmp_path / "o", teacher=tiny_encoder, plan=True, overrides=QUICK
    )
    assert [
        line for line in str(few).splitlines() if line.startswith("the verdict will refuse: it has 6 judged queries")
    ]
    assert bool(made.chosen.recipe.queries and made.chosen.recipe.queries.dev) == needs_dev


def test_a_plan_runs_nothing_and_leaves_nothing(
    folder: Path, tiny_encoder: str, tmp_path: Path, rankdistill: Run
) -> None:
    words = ["distill", "--documents", folder, "--teacher", tiny_encoder, "--out", tmp_path / "out", "--plan"]
    status, said = rankdistill(*words, "--minutes", "5")
    assert status == 0
    assert "of 5 minutes by what was measured here; nothing was run" in said
    assert "student: layers 0, 2 of" in said
    assert sorted(path.name for path in tmp_path.iterdir()) == ["texts"]
    status, said = rankdistill(*words, "--minutes", "5", "--json")
    assert status == 0
    assert json.loads(said[said.index("{") : said.rindex("}") + 1])["asked"] == 5
    planned = rd.distill(folder, tmp_path / "out", teacher=tiny_encoder, minutes=0.1, plan=True)
    assert isinstance(planned, Planned)
    assert planned.least > 0.1
    assert "are the least" in str(planned)


def test_too_few_minutes_say_how_many_are_enough(folder: Path, tiny_encoder: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"expected: (\d+) minutes or more"):
        rd.distill(folder, tmp_path / "out", teacher=tiny_encoder, minutes=0.1)
    assert not (tmp_path / "out" / "recipe.yaml").exists()
    by_hand = ["align.steps=4", "train.steps=4"]
    planned = rd.distill(folder, tmp_path / "out", teacher=tiny_encoder, minutes=0.1, plan=True, overrides=by_hand)
    assert "for the steps that would be chosen; --set has others" in str(planned)
    assert "are the least" not in str(planned)
    planned = rd.distill(folder, tmp_path / "out", teacher=tiny_encoder, minutes=2, plan=True)
    assert isinstance(planned, Planned)
    again = rd.distill(folder, tmp_path / "out", teacher=tiny_encoder, minutes=planned.least, plan=True)
    assert isinstance(again, Planned)
    assert again.minutes <= sizes.OVERRUN * planned.least


def test_a_size_that_nothing_fits_is_told_before_anything_runs(folder: Path, tiny_encoder: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="room for the smallest shape"):
        distilled(folder, tmp_path / "out", tiny_encoder, max_mb=0.01)
    assert not (tmp_path / "out" / "recipe.yaml").exists()


@pytest.mark.parametrize("several", ["seeds=[13, 14]", "variants={student: {}, other: {}}"])
def test_several_trainings_are_none_to_ship(folder: Path, tiny_encoder: str, tmp_path: Path, several: str) -> None:
    with pytest.raises(ConfigError, match="one training, whose student is judged"):
        distilled(folder, tmp_path / "out", tiny_encoder, overrides=[*QUICK, several])
    assert not (tmp_path / "out" / "run").exists()


def test_an_output_among_the_documents_is_refused(folder: Path, tiny_encoder: str, tmp_path: Path) -> None:
    for out in (folder / "out", folder / "below" / "out"):
        with pytest.raises(ConfigError, match="take what this one makes for documents"):
            distilled(folder, out, tiny_encoder)
        assert not out.exists()
    with pytest.raises(OutputError, match="other files, as 'texts'"):
        distilled(folder, tmp_path, tiny_encoder)


def test_what_is_missing_is_told_before_anything_is_done(
    folder: Path, tiny_encoder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    with pytest.raises(ModelReferenceError, match="no such folder"):
        distilled(folder, out, str(tmp_path / "nowhere"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="an empty folder"):
        distilled(tmp_path / "empty", out, tiny_encoder)
    from rankdistill import _extras

    def missing(name: str) -> Any:
        raise ModuleNotFoundError(name=name)

    monkeypatch.setattr(_extras, "import_module", missing)
    with pytest.raises(MissingDependencyError, match=r"rankdistill\[onnx\]"):
        distilled(folder, out, tiny_encoder, onnx=True)
    assert not out.exists()


def test_passages_are_cut_by_the_students_tokens(folder: Path, tiny_encoder: str, tmp_path: Path) -> None:
    (folder / "long.txt").write_text("the old river is deep. " * 60)

    class Stops(Recorder):
        def stage(self, name: str, unit: str, total: int | None = None) -> Any:
            if name.startswith("3"):
                raise KeyboardInterrupt
            return super().stage(name, unit, total)

    with pytest.raises(KeyboardInterrupt):
        distilled(folder, tmp_path / "out", tiny_encoder, passage_tokens=40, progress=Stops())
    assert "long.txt#3" in rd.open(tmp_path / "out" / "data").doc_ids
