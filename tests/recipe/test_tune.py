"""A search: the recipe first, dev alone, shared steps done once, resumed to the same trials, and what mattered."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

import rankdistill as rd
from rankdistill import manifest
from rankdistill.errors import ConfigError, MissingDependencyError, OutputError, StaleOutputError
from rankdistill.notes import note, once
from rankdistill.recipe import tune
from rankdistill.recipe.loading import parse
from rankdistill.recipe.tuning import space as spaces
from rankdistill.recipe.tuning.study import Search
from rankdistill.recipe.tuning.watching import Watching, dev_values
from tests.conftest import write_tiny_beir
from tests.recipe.recorder import Recorder

pytestmark = pytest.mark.usefixtures("torch_alone")

SPACE = {
    "train.loss": ["margin_mse", "pld"],
    "train.teacher_temperature": {"low": 0.1, "high": 2.0, "log": True, "when": {"train.loss": ["pld"]}},
    "train.learning_rate": {"low": 1e-5, "high": 1e-2, "log": True},
}


@pytest.fixture
def recipe(tiny_encoder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.chdir(tmp_path)
    write_tiny_beir(Path("DATA"))
    return {
        "name": "tiny",
        "out": "RUN",
        "data": {"source": "DATA"},
        "mine": {"depth": 12},
        "teacher": {"model": tiny_encoder},
        "score": {"unit_size": 512, "backend": "torch"},
        "student": {"model": tiny_encoder},
        "train": {"steps": 4, "negatives": 2, "batch_size": 4, "eval_steps": 2, "log_steps": 2, "check": "off"},
        "variants": {"other": {"loss": "kl_div"}, "wanted": {}},
        "index": {"factory": "exact"},
        "evaluate": {"rerank_depth": 0, "latency_queries": 0},
    }


def test_a_search_is_of_dev_alone_and_goes_on_to_the_same_trials(recipe: dict[str, Any]) -> None:
    whole = rd.tune(recipe, "WHOLE", trials=3, space=SPACE, variant="wanted", keep=True)
    assert [trial.state for trial in whole.trials] == ["done"] * 3
    made = [path.name.rpartition("-")[0] for path in Path("WHOLE/steps").iterdir()]
    steps = {name: made.count(name) for name in made}
    of_student = ("student-wanted", "index-wanted", "evaluate-dev-wanted")
    assert steps == {"candidates": 1, "scores": 1} | dict.fromkeys(of_student, 3)

    first = whole.trials[0]
    assert first.settings == {"train.loss": "margin_mse", "train.learning_rate": 5e-5}
    assert all(
        ("train.teacher_temperature" in one.settings) == (one.settings["train.loss"] == "pld") for one in whole.trials
    )
    judged = [
        rd.evaluate("DATA", path, f"OUT{path.name}", split="dev") for path in Path("WHOLE/steps").glob("student-*")
    ]
    assert sorted(one.system.measures["ndcg_at_10"] for one in judged) == pytest.approx(
        sorted(one.value for one in whole.trials)
    )

    class Stop(Recorder):
        def stage(self, name: str, unit: str, total: int | None = None) -> Any:
            if name.startswith("student-wanted"):
                seen.append(name)
                if len(seen) == 2:
                    raise KeyboardInterrupt
            return super().stage(name, unit, total)

    seen: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        rd.tune(recipe, "PARTS", trials=3, space=SPACE, variant="wanted", progress=Stop())
    assert not Path("PARTS/tuning/manifest.json").exists()
    again = rd.tune(recipe, "PARTS", trials=3, space=SPACE, variant="wanted")
    assert [(one.settings, one.value) for one in again.trials] == [(one.settings, one.value) for one in whole.trials]

    best = again.best
    assert best is not None
    assert best.value == max(one.value for one in whole.trials)
    students = {path.name for path in Path("PARTS/steps").glob("student-*")}
    assert students == {name for one in (first, best) for name in again.trials[one.number].steps if name[0] == "s"}
    results = rd.run(again.recipe)
    assert [system.name for system in results[0].systems if system.name == "wanted"]
    assert Path(again.recipe).is_file()
    assert yaml.safe_load(again.recipe.read_text())["train"]["learning_rate"] == best.settings["train.learning_rate"]
    assert {path.name for path in Path("PARTS/steps").glob("student-*")} == students  # what `run` needed was there

    assert manifest.read(Path("PARTS/tuning")).artefact == "tuning"  # type: ignore[union-attr]
    page = Path("PARTS/tuning/report.html").read_text()
    assert "<svg" in page
    assert "too high by chance" in page
    written = json.loads(Path("PARTS/tuning/tuning.json").read_text())
    assert written["best"]["value"] == best.value
    assert again.to_polars().columns[:3] == ["trial", "state", "value"]
    with pytest.raises(StaleOutputError, match="another metric"):
        rd.tune(recipe, "PARTS", trials=3, space=SPACE, variant="wanted", metric="mrr_at_10")
    qrels = Path(recipe["data"]["source"], "qrels", "dev.tsv")
    qrels.write_text("\n".join(qrels.read_text().splitlines()[:-1]) + "\n")
    with pytest.raises(StaleOutputError, match="another data"):
        rd.tune(recipe, "PARTS", trials=3, space=SPACE, variant="wanted")


def test_steps_of_the_recipes_own_run_are_taken(recipe: dict[str, Any]) -> None:
    recipe["variants"] = {"wanted": {}}
    rd.run(recipe)
    recorder = Recorder()
    tuned = rd.tune(recipe, trials=1, space=SPACE, progress=recorder)
    assert tuned.path == Path("RUN-tuned/tuning")
    assert recorder.ran == ["evaluate-dev-wanted"] or set(recorder.ran) <= {"trials", "evaluate-dev-wanted"}
    (ours,), (theirs,) = (list(Path(run, "steps").glob("scores-*/manifest.json")) for run in ("RUN", "RUN-tuned"))
    assert ours.stat().st_ino == theirs.stat().st_ino
    assert not list(Path("RUN/steps").glob("evaluate-dev-*"))


def test_a_training_that_is_stopped_on_its_way_leaves_nothing_and_the_search_goes_on(
    recipe: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from optuna.trial import Trial

    monkeypatch.setattr(Trial, "should_prune", lambda trial: trial.number == 1)
    tuned = rd.tune(recipe, trials=3, space=SPACE, variant="wanted")
    assert [trial.state for trial in tuned.trials] == ["done", "stopped", "done"]
    stopped = tuned.trials[1]
    assert 0 <= (stopped.value or 0.0) <= 1
    assert stopped.seconds >= 0
    assert not {path.name for path in Path("RUN-tuned/steps").iterdir()} & set(stopped.steps)
    assert "stopped" in str(tuned)


def test_trials_that_fail_are_told_and_a_recipe_that_cannot_run_is_an_error(recipe: dict[str, Any]) -> None:
    recipe["train"]["few_negatives"] = "skip"
    found = {"train.negatives": [2, 50]}
    tuned = rd.tune(recipe, trials=2, space=found, variant="wanted", seed=1)
    failed = [one for one in tuned.trials if one.state == "failed"]
    assert tuned.trials[0].state == "done"
    assert all(one.settings["train.negatives"] == 50 and one.reason for one in failed)
    assert all(f"trial {one.number} failed: " in str(tuned) for one in failed)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"metric": "accuracy"}, "ndcg_at_10, recall_at_100"),
        ({"variant": "nobody"}, "other, wanted"),
        ({"space": {"train.loss": ["no_such"]}}, "loss"),
        ({"space": {"train.no_such": [1, 2]}}, "no_such"),
        ({"space": {"train.negatives": [2]}}, "something to choose"),
        ({"space": {"train.learning_rate": {"low": 1, "high": 0}}}, "below high"),
        ({"space": {"train.learning_rate": {"low": -1, "high": 1, "log": True}}}, "above 0"),
        ({"space": {"train.steps": {"low": 1, "high": 9, "when": {"train.loss": ["pld"]}}}}, "does not stand before"),
        (
            {"space": {"train.negatives": {"low": 2, "high": 8}}},
            r"2 to 8, where 4\.48\d* is refused.*\n.*\n.*add whole: true",
        ),
        ({"space": {"train.steps": {"low": 4, "high": 64, "log": True}}}, "add whole: true"),
        ({"space": {"train.negatives": {"low": 2.5, "high": 8, "whole": True}}}, "must be whole numbers"),
        ({"trials": 0}, "trials"),
        ({"overrides": ["data.dev=null"]}, "dev split"),
    ],
)
def test_what_cannot_be_searched_is_refused_before_anything_runs(
    recipe: dict[str, Any], arguments: dict[str, Any], match: str
) -> None:
    with pytest.raises(ConfigError, match=match):
        rd.tune(recipe, **arguments)
    assert not Path("RUN-tuned").exists()


def test_a_range_of_whole_numbers_is_searched(recipe: dict[str, Any]) -> None:
    found = {"train.negatives": {"low": 2, "high": 4, "whole": True}}
    tuned = rd.tune(recipe, trials=2, space=found, variant="wanted")
    assert [one.state for one in tuned.trials] == ["done", "done"]


def test_a_tracker_that_is_not_installed_is_told_before_anything_runs(recipe: dict[str, Any]) -> None:
    recipe["variants"]["other"]["report_to"] = ["swanlab"]
    for verb in (rd.run, partial(rd.tune, variant="other", trials=1, space=SPACE)):
        with pytest.raises(MissingDependencyError, match="pip install swanlab"):
            verb(recipe)
    assert not Path("RUN").exists()
    assert not Path("RUN-tuned").exists()


@pytest.mark.parametrize(
    ("name", "dev"),
    [
        ("quickstart", []),
        ("msmarco_mini", ["data.dev=dev"]),
        ("leaf_scifact", ["data.scifact.dev=dev"]),
        ("staged", ["data.dev=dev"]),
        ("gpl", ["data.dev=dev"]),
    ],
)
def test_shipped_recipes_have_a_usual_space_that_can_be_read(name: str, dev: list[str]) -> None:
    from rankdistill.recipe.loading import load
    from rankdistill.recipe.tuning.subject import Subject

    subject = Subject.of(load(name, dev), None, Path("out"), True)
    found = spaces.default(subject.recipe, 6)
    assert {"train.loss", "train.learning_rate"} <= set(found)
    own = subject.own(found)
    for setting, part in spaces.with_own(found, own).items():
        if isinstance(part, spaces.Choice):
            assert own[setting] in part.choices
            for value in part.choices:
                assert subject.changed({setting: value}).recipe is not None
        else:
            assert part.low <= own[setting] <= part.high
    if name in ("quickstart", "staged"):
        assert [0, 5] in found["student.keep_layers"].choices  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("train", "names"),
    [
        ({"loss": "contrastive"}, set()),
        ({"loss": "contrastive", "auxiliary_head_weight": 1.0}, {"train.teacher_temperature"}),
        ({"loss": "kl_div"}, {"train.loss", "train.teacher_temperature"}),
    ],
)
def test_the_usual_space_of_each_loss_can_be_read(train: dict[str, Any], names: set[str]) -> None:
    from rankdistill.recipe.tuning.subject import Subject

    content = {"name": "tiny", "train": train}
    subject = Subject.of(parse(content, "here", []), None, Path("out"), True)
    found = spaces.default(subject.recipe, 6)
    assert {name for name in found if name.endswith(("loss", "temperature"))} == names
    for name, part in found.items():
        for value in part.choices if isinstance(part, spaces.Choice) else [part.low, part.high]:
            fitting = {other: allowed[0] for other, allowed in part.when.items()}
            assert subject.changed({**fitting, name: value}).recipe is not None


def test_a_choice_is_the_recipes_own_also_where_it_is_written_otherwise() -> None:
    space = spaces.parse({"train.mixup": [0, 0.5], "train.select": ["best"]}, "here")
    whole = spaces.with_own(space, {"train.mixup": 0.0, "train.select": "ema"})
    assert whole["train.mixup"].choices == [0, 0.5]  # type: ignore[union-attr]
    assert spaces.start(whole, {"train.mixup": 0.0, "train.select": "ema"}) == {
        "train.mixup": "0",
        "train.select": '"ema"',
    }


def test_a_range_without_the_recipes_own_value_is_made_wider(caplog: pytest.LogCaptureFixture) -> None:
    """Its first trial was drawn at random, and called the recipe."""
    space = spaces.parse(
        {
            "loss": ["a", "b"],
            "rate": {"low": 1e-5, "high": 1e-3, "log": True},
            "count": {"low": 2, "high": 8, "whole": True},
            "odd": {"low": 1, "high": 2},
            "below": {"low": 1, "high": 2, "log": True},
            "of_b": {"low": 1, "high": 2, "when": {"loss": ["b"]}},
        },
        "here",
    )
    own = {"loss": "a", "rate": 2e-3, "count": 16, "odd": None, "below": 0.0}
    wider = spaces.with_own(space, own)
    rate, count = wider["rate"], wider["count"]
    assert isinstance(rate, spaces.Range)
    assert isinstance(count, spaces.Range)
    assert (rate.low, rate.high, count.low, count.high) == (1e-5, 2e-3, 2, 16)
    assert spaces.start(wider, own) == {"loss": '"a"', "rate": 2e-3, "count": 16}
    assert spaces.lacking(wider, own) == ["odd", "below"]
    assert "the range is 1e-05 to 0.002" in caplog.text


def test_a_trial_that_lacks_a_value_of_the_recipe_is_not_called_so(
    recipe: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    recipe["variants"] = {"wanted": {"loss": "pld"}}
    space = {"train.contrastive_scale": {"low": 1, "high": 20}, "train.learning_rate": [1e-4, 1e-3]}
    tuned = rd.tune(recipe, trials=1, space=space)
    assert "what the recipe has of train.contrastive_scale (None)" in caplog.text
    assert [row[0] for row in tuned.tables()[0].rows] == ["0"]
    assert not [line for line in tuned.lines() if "the recipe" in line]


def test_an_error_of_the_surroundings_is_no_trial(recipe: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk used up all the trials that were left, and the same command did nothing once there was room."""
    usual, times = tune._measure, iter(range(2))

    def measure(step: Any, metric: str) -> float:
        if next(times, None) == 1:
            raise OutputError(expected="room", got="none", consequence="nothing", remedy="make some")
        return usual(step, metric)

    monkeypatch.setattr(tune, "_measure", measure)
    with pytest.raises(OutputError):
        rd.tune(recipe, "PARTS", trials=3, space=SPACE, variant="wanted")
    again = rd.tune(recipe, "PARTS", trials=3, space=SPACE, variant="wanted")
    whole = rd.tune(recipe, "WHOLE", trials=3, space=SPACE, variant="wanted")
    assert [(one.state, one.settings) for one in again.trials] == [(one.state, one.settings) for one in whole.trials]
    assert {one.state for one in again.trials} == {"done"}


def test_a_recipe_that_looks_at_dev_once_is_looked_at_four_times() -> None:
    from rankdistill.recipe.tuning.subject import Subject

    content = {"name": "tiny", "train": {"steps": 40, "eval_steps": 40, "log_steps": 20}}
    watched = Subject.of(parse(content, "it"), None, Path("out"), True).recipe.train
    assert (watched.eval_steps, watched.log_steps) == (10, 10)
    alone = Subject.of(parse(content, "it"), None, Path("out"), False).recipe.train
    assert (alone.eval_steps, alone.log_steps) == (40, 20)


def test_a_search_does_not_repeat_its_notes(caplog: pytest.LogCaptureFixture) -> None:
    """Every trial reads the same collection."""
    with once():
        for words in ("a row", "a row", "another row"):
            note(words)
    note("a row")
    assert [record.getMessage() for record in caplog.records] == ["a row", "another row", "a row"]


def checkpoint(student: Path, step: int, values: dict[int, float]) -> None:
    folder = student / "checkpoints" / f"checkpoint-{step}"
    folder.mkdir(parents=True)
    history = [{"step": at, "eval_dev_cosine_ndcg@10": value, "eval_loss": 9.0} for at, value in values.items()]
    (folder / "trainer_state.json").write_text(json.dumps({"log_history": [{"step": 1, "loss": 2.0}, *history]}))


def test_dev_values_of_a_training_are_told_once_as_its_checkpoints_come(tmp_path: Path) -> None:
    told: list[tuple[int, float]] = []
    watching = Watching(Recorder(), tmp_path, lambda step, value: told.append((step, value)))
    with watching.stage("training", "steps") as stage:
        stage(1)
        assert told == []
        checkpoint(tmp_path, 2, {2: 0.5})
        stage(1)
        stage(1)
        checkpoint(tmp_path, 10, {2: 0.5, 10: 0.75})
        stage(1)
    assert told == [(2, 0.5), (10, 0.75)]
    assert dev_values(tmp_path) == {2: 0.5, 10: 0.75}
    (tmp_path / "checkpoints" / "checkpoint-10" / "trainer_state.json").write_text("{")
    assert dev_values(tmp_path) == {2: 0.5}


def test_a_trial_below_the_median_is_stopped_and_importance_finds_what_mattered(tmp_path: Path) -> None:
    """Twelve trials of a made-up measure that depends on one setting alone."""
    found = spaces.parse({"a": {"low": 0, "high": 1}, "b": [1, 2, 3]}, "it")
    search = Search(tmp_path, {"it": 1}, found, {"a": 0.5, "b": 2}, seed=3, prune=True)
    stopped = 0
    for _ in range(12):
        trial = search.next()
        chosen = spaces.suggest(trial, found)
        trial.report(chosen["a"], 1)
        if trial.should_prune():
            search.stopped(trial, 1.0)
            stopped += 1
        else:
            search.done(trial, chosen["a"], 1.0)
    assert 0 < stopped < 8
    ended = search.ended()
    assert ended[0].settings == {"a": 0.5, "b": 2}
    judged = [one.value for one in ended if one.state == "done"]
    assert all(one.value < max(judged) for one in ended if one.state == "stopped")
    importance = search.importance()
    assert next(iter(importance)) == "a"
    assert importance["a"] > 0.6


def test_a_trial_that_was_killed_is_tried_again_first(tmp_path: Path) -> None:
    found = spaces.parse({"a": {"low": 0, "high": 1}}, "it")
    search = Search(tmp_path, {"it": 1}, found, {"a": 0.5}, seed=3, prune=False)
    killed = [spaces.suggest(search.next(), found) for _ in range(2)]
    assert killed[0] == {"a": 0.5}
    again = Search(tmp_path, {"it": 1}, found, {"a": 0.5}, seed=3, prune=False)
    assert again.ended() == []
    assert [spaces.suggest(again.next(), found) for _ in range(2)] == killed
