"""A run made again: the same where nothing changed, and what differs named where something did."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import rankdistill as rd
from rankdistill import manifest
from rankdistill.cli.main import build_app
from rankdistill.errors import ConfigError, DamagedError, DataError, StaleOutputError
from rankdistill.provenance.found import at
from rankdistill.provenance.named import named_folders
from rankdistill.verbs.ann_recall import ann_recall
from rankdistill.verbs.differing import compare, compare_parts
from rankdistill.verbs.robustness import robustness
from tests import tiny_task
from tests.conftest import write_tiny_beir
from tests.recipe.recorder import Recorder
from tests.recorded import change_manifest, record_again

pytestmark = pytest.mark.usefixtures("torch_alone")


@pytest.fixture
def recipe(tiny_encoder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A recipe whose only cost is a student of two steps, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    write_tiny_beir(Path("DATA"))
    return {
        "name": "tiny",
        "out": "RUN",
        "data": {"source": "DATA", "dev": None},
        "mine": {"depth": 12},
        "teacher": {"model": tiny_encoder},
        "score": {"unit_size": 512, "backend": "torch"},
        "student": {"model": tiny_encoder},
        "train": {"steps": 2, "negatives": 2, "batch_size": 4, "eval_steps": 2, "log_steps": 2, "check": "off"},
        "index": {"factory": "exact"},
        "evaluate": {"rerank_depth": 0, "latency_queries": 0},
    }


def states(made: Any) -> dict[str, str]:
    return {part.name: part.state for part in made.parts}


def test_a_run_is_made_again_and_a_changed_judgement_is_found(recipe: dict[str, Any]) -> None:
    rd.run(recipe, command="rankdistill run tiny.yaml")
    described = manifest.read(Path("RUN"))
    assert described is not None
    assert described.artefact == "run"
    assert described.parameters["recipe"] == {name: value for name, value in recipe.items() if name != "out"}
    assert {name.rpartition("-")[0] for name in described.inputs} == {
        "candidates", "scores", "index-initial", "student-student", "index-student",
        "evaluate-test-bm25", "evaluate-test-student-before-training", "evaluate-test-student",
    }  # fmt: skip

    recorder = Recorder()
    again = rd.reproduce("RUN", progress=recorder)
    assert set(states(again).values()) == {"same"}
    assert again.same
    assert again.now == Path("RUN-reproduced")
    assert "12 measures of 3 evaluations are equal" in str(again)
    assert {"candidates", "scores", "student-student"} <= set(recorder.ran)
    assert again.to_polars().filter(pl_differs()).is_empty()
    assert again.to_polars().height == 12
    assert json.dumps(again.to_json())

    written = rd.open("RUN").systems
    first = {row["name"]: row["before"] for row in again.to_polars().to_dicts() if row["measure"] == "ndcg_at_10"}
    assert (
        first["evaluate-test-student"] == next(one for one in written if one.name == "student").measures["ndcg_at_10"]
    )

    qrels = Path("DATA/qrels/test.tsv")
    header, *rows = qrels.read_text().splitlines()
    query, _, label = rows[0].split("\t")
    qrels.write_text("\n".join([header, f"{query}\td39\t{label}", *rows[1:]]) + "\n")
    other = rd.reproduce("RUN", "OTHER")
    assert not other.same
    found = states(other)
    assert found["student-student"] == found["index-student"] == "same"
    assert found["evaluate-test-bm25"] == "other numbers"
    (told,) = [part for part in other.parts if part.name == "evaluate-test-bm25"]
    assert any(line.startswith("input 'qrels' was ") for line in told.details)
    assert any(line == "1 of 6 queries have other measures" for line in told.details)
    assert rd.reproduce("RUN", "OTHER", tolerance=1.0).same

    there = manifest.read(Path("OTHER"))
    assert there is not None
    replace(there, versions={**there.versions, "torch": "1.0"}).write(Path("OTHER"))
    with pytest.raises(StaleOutputError, match=r"torch was 1\.0, is now"):
        rd.reproduce("RUN", "OTHER")


def test_shards_are_cut_as_they_were_where_their_size_was_measured(
    recipe: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    del recipe["score"]["unit_size"]
    monkeypatch.setattr("rankdistill.stores.writer.UNIT_SIZE", 16)
    rd.run(recipe)
    (store,) = Path("RUN/steps").glob("scores-*")
    assert len([*store.glob("scores/*/*.parquet")]) > 2
    monkeypatch.setattr("rankdistill.stores.writer.UNIT_SIZE", 32)  # another machine
    again = rd.reproduce("RUN")
    assert set(states(again).values()) == {"same"}


def test_a_size_that_was_not_taken_is_not_measured_again(
    recipe: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe["score"]["unit_size"] = 65_536
    monkeypatch.setattr("rankdistill.stores.writer.encodes_texts", lambda teacher: False)
    monkeypatch.setattr("rankdistill.stores.writer.UNIT_SIZE", 16)
    rd.run(recipe)
    (store,) = Path("RUN/steps").glob("scores-*")
    assert len([*store.glob("scores/*/*.parquet")]) > 2
    monkeypatch.setattr("rankdistill.stores.writer.UNIT_SIZE", 32)  # another machine
    assert set(states(rd.reproduce("RUN")).values()) == {"same"}


def pl_differs() -> Any:
    import polars as pl

    return pl.col("before") != pl.col("now")


def test_a_changed_recipe_leaves_no_manifest_of_the_one_before(recipe: dict[str, Any]) -> None:
    """A folder that holds half of another recipe's run is unfinished."""
    rd.run(recipe)
    recipe["train"]["loss"] = "no_such"
    with pytest.raises(ConfigError):
        rd.run(recipe)
    assert manifest.read(Path("RUN")) is not None  # nothing was done
    recipe["train"]["loss"] = "kl_div"

    def stop(done: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rd.run(recipe, progress=stop)
    assert manifest.read(Path("RUN")) is None


def test_what_does_not_say_how_it_was_made_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        rd.reproduce(tmp_path / "nowhere")
    with pytest.raises(DataError, match="neither a manifest"):
        rd.reproduce(tmp_path)
    step = tmp_path / "runs" / "steps" / "student-1"
    step.mkdir(parents=True)
    manifest.Manifest("student", command="rankdistill run quickstart").write(step)
    with pytest.raises(DataError, match=rf"reproduce the run that it is a step of: {tmp_path / 'runs'}"):
        rd.reproduce(step)


@pytest.mark.parametrize(
    "command",
    ["", "rm -r --out .", "rankdistill push --to qdrant --out .", "rankdistill train --data 'DIR", "rankdistill mine"],
)
def test_only_a_command_of_ours_that_makes_a_folder_is_run(tmp_path: Path, command: str) -> None:
    manifest.Manifest("student", command=command).write(tmp_path)
    with pytest.raises(DataError, match="nothing was run"):
        rd.reproduce(tmp_path, tmp_path.with_name("elsewhere"))


def test_an_evaluation_that_compare_made_beside_others_tells_how_to_go_on(tmp_path: Path) -> None:
    folder = tmp_path / "SYSTEMS" / "a"
    folder.mkdir(parents=True)
    manifest.Manifest("evaluation", command="rankdistill compare a=bm25 b=bm25:words --data D --out .").write(folder)
    with pytest.raises(DataError, match="nothing was run") as caught:
        rd.reproduce(folder)
    assert "which made the other systems' evaluations too" in caught.value.got
    assert f"`rankdistill compare {folder} OTHER/a`" in caught.value.remedy


@pytest.mark.parametrize("place", [".", "../here"])
def test_a_folder_may_be_named_from_within(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    (tmp_path / "here").mkdir()
    manifest.Manifest("student").write(tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(DataError, match="made from Python"):
        rd.reproduce(place)


@pytest.mark.parametrize("below", ["", "/below"])
def test_the_first_run_is_never_written_into(tmp_path: Path, below: str) -> None:
    manifest.Manifest("run", parameters={"recipe": {}}).write(tmp_path)
    with pytest.raises(ConfigError, match="it would change what is reproduced"):
        rd.reproduce(tmp_path, f"{tmp_path}{below}")


@pytest.mark.slow
def test_an_artefact_is_made_again_by_its_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a process of its own, as a user types it."""
    monkeypatch.chdir(tmp_path)
    write_tiny_beir(Path("DATA"))
    rd.mine("DATA", "CANDIDATES", depth=12, command="rankdistill mine --data DATA --depth 12 --out .")
    again = rd.reproduce("CANDIDATES")
    assert again.same
    assert Path("CANDIDATES-reproduced/candidates.parquet").is_file()
    (Path("DATA") / "corpus.jsonl").write_text((Path("DATA") / "corpus.jsonl").read_text().replace("river", "brook"))
    other = rd.reproduce("CANDIDATES", "OTHER")
    assert [part.state for part in other.parts] == ["other inputs"]
    (Path("DATA") / "corpus.jsonl").unlink()
    with pytest.raises(DataError, match="exit status 1"):
        rd.reproduce("CANDIDATES", "THIRD")


def test_bytes_and_inputs_that_differ_are_told_apart(tmp_path: Path) -> None:
    def made(name: str, value: int, content: str) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        (folder / "rows.txt").write_text(content)
        manifest.Manifest("export", parameters={"a": value}).write(folder)
        return folder

    first = made("first", 1, "x")
    assert compare("it", first, made("same", 1, "x")).state == "same"
    bytes_ = compare("it", first, made("bytes", 1, "y"))
    assert (bytes_.state, bytes_.details) == ("other bytes", ("rows.txt has other bytes",))
    inputs = compare("it", first, made("inputs", 2, "x"))
    assert (inputs.state, inputs.details) == ("other inputs", ("parameter 'a' was 1, is now 2",))
    gone = compare("it", first, tmp_path / "gone")
    assert (gone.state, gone.details) == ("not there", (str(tmp_path / "gone"),))


@pytest.mark.parametrize("verb", ["ann-recall", "robustness"])
def test_of_what_is_measured_neither_time_nor_command_is_a_difference(
    tiny_encoder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write_tiny_beir(Path("DATA"))
    commands = [f"rankdistill {verb} --out . --data DATA", f"rankdistill {verb} --data DATA --out ."]
    for out, command in zip(("FIRST", "SECOND"), commands, strict=True):
        if verb == "robustness":
            robustness("DATA", tiny_encoder, tiny_encoder, out, draws=0, command=command)
        else:
            ann_recall("DATA", tiny_encoder, tiny_encoder, out, search={"efSearch": [1, 4]}, command=command)
    file = Path("SECOND") / {"ann-recall": "ann.json", "robustness": "robustness.json"}[verb]
    assert file.read_bytes() != (Path("FIRST") / file.name).read_bytes()
    found = compare(verb, Path("FIRST"), Path("SECOND"))
    assert (found.state, found.details) == ("same", ())

    content = json.loads(file.read_text())
    content["documents"] += 1
    file.write_text(json.dumps(content))
    record_again(Path("SECOND"))
    assert compare(verb, Path("FIRST"), Path("SECOND")).details == (f"{file.name} has other bytes",)


def test_a_part_that_is_gone_is_not_the_same(recipe: dict[str, Any]) -> None:
    rd.run(recipe)
    (folder,) = [path for path in Path("RUN/steps").iterdir() if path.name.startswith("evaluate-test-bm25-")]
    shutil.rmtree(folder)
    again = rd.reproduce("RUN")
    assert states(again)["evaluate-test-bm25"] == "not there"
    assert {state for name, state in states(again).items() if name != "evaluate-test-bm25"} == {"same"}
    assert not again.same
    assert "8 measures of 2 evaluations are equal" in str(again)
    assert "nothing to compare with: evaluate-test-bm25" in str(again)


@pytest.fixture
def on_tasks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """BM25 on two tasks of mteb, with the command that did it; commands run in this process."""
    monkeypatch.chdir(tmp_path)
    tasks = {"TinyA": tiny_task.QUERIES, "TinyB": {"t0": tiny_task.QUERIES["t0"]}}
    with tiny_task.known_to_mteb(tmp_path / "data", tasks):
        command = [
            "evaluate",
            "--model",
            "bm25",
            "--tasks",
            "TinyA,TinyB",
            "--data-root",
            "data",
            "--name",
            "org/words",
        ]
        monkeypatch.setattr(subprocess, "run", run_here)
        run_here(["python", "-c", "", *command, "--out", "RESULTS"])
        yield Path("RESULTS")


def run_here(words: list[str], **unused: Any) -> subprocess.CompletedProcess[str]:
    """What `python -c PROGRAM` does with these words, without another process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["rankdistill", *words[3:]])
        done = CliRunner().invoke(build_app(["evaluate"]), words[3:])
    return subprocess.CompletedProcess(words, done.exit_code, done.output)


def test_evaluations_on_tasks_are_compared_measure_by_measure(on_tasks: Path) -> None:
    again = rd.reproduce(on_tasks)
    assert states(again) == {"TinyA/test": "same", "TinyB/test": "same"}
    assert again.same
    assert "8 measures of 2 evaluations are equal" in str(again)
    assert again.to_polars().height == 8

    (path,) = again.now.glob("results/*/*/TinyA.json")
    content = json.loads(path.read_text())
    content["evaluation_time"] = 1e6
    path.write_text(json.dumps(content))
    record_again(again.now)
    assert {one.state for one in compare_parts("RESULTS", on_tasks, again.now)} == {"same"}
    content["scores"]["test"][0]["precision_at_3"] += 0.25
    path.write_text(json.dumps(content))
    record_again(again.now)
    found = {one.name: one for one in compare_parts("RESULTS", on_tasks, again.now)}
    assert {name: one.state for name, one in found.items()} == {"TinyA/test": "other numbers", "TinyB/test": "same"}
    assert found["TinyA/test"].details[0].startswith("mteb's precision_at_3 ")
    assert {one.state for one in compare_parts("RESULTS", on_tasks, again.now, tolerance=0.3)} == {"same"}

    shutil.rmtree(again.now / "TinyB")
    found = {one.name: one for one in compare_parts("RESULTS", on_tasks, again.now)}
    assert found["TinyB/test"].state == "not there"


@pytest.mark.parametrize("file", ["TinyA/test/results.json", "TinyB/test/per_query.parquet", "TinyA/manifest.json"])
def test_damaged_figures_are_no_first_time(on_tasks: Path, file: str) -> None:
    """They would be compared with, and this machine be told to give other numbers."""
    path = on_tasks / file
    path.write_bytes(path.read_bytes().replace(b"0", b"1", 1))
    with pytest.raises(DataError, match=re.escape(str(Path(file).name))):
        rd.reproduce(on_tasks)
    assert not Path("RESULTS-reproduced").exists()


def test_a_run_with_damaged_figures_is_refused_before_anything_is_done(recipe: dict[str, Any]) -> None:
    rd.run(recipe)
    (folder,) = Path("RUN/steps").glob("evaluate-test-bm25-*")
    (folder / "results.json").write_text((folder / "results.json").read_text().replace(".", ".1", 1))
    with pytest.raises(DamagedError, match=rf"the file results\.json of the evaluation in {folder} as it was written"):
        rd.reproduce("RUN")
    assert not Path("RUN-reproduced").exists()
    with pytest.raises(DamagedError, match=r"results\.json"):
        compare("it", folder, folder)


@pytest.mark.parametrize("part", ["TinyA", "TinyA/test"])
def test_a_part_of_evaluations_on_tasks_is_not_made_again_alone(on_tasks: Path, part: str) -> None:
    with pytest.raises(DataError, match="a part of it"):
        rd.reproduce(on_tasks / part)


def test_tasks_of_several_calls_are_all_made_again(on_tasks: Path) -> None:
    """Each task by the command that evaluated it, whatever the last call asked for."""
    shutil.copytree("data", "other")
    for task, root in (("TinyA", "data"), ("TinyB", "other"), ("TinyA", "data")):
        system = ["--model", "bm25", "--name", "org/words", "--data-root", root]
        run_here(["python", "-c", "", "evaluate", *system, "--tasks", task, "--out", "GROWN"])
    made = manifest.read(Path("GROWN"))
    assert made is not None
    assert "--tasks TinyB" in made.command  # the last call found nothing to do
    grown = at(Path("GROWN"))
    assert grown is not None
    assert {*named_folders(grown)} == {Path("data").resolve(), Path("other").resolve()}
    again = rd.reproduce("GROWN")
    assert states(again) == {"TinyA/test": "same", "TinyB/test": "same"}
    assert again.same

    change_manifest(Path("GROWN/TinyA"), command="")
    with pytest.raises(DataError, match="GROWN/TinyA: no command: it was made from Python"):
        rd.reproduce("GROWN", "OTHER")
