"""A system on tasks of mteb: mteb's own files, our evaluations beside them, a task at a time."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

import rankdistill
from rankdistill.errors import ConfigError, DamagedError, DataError, StaleOutputError
from rankdistill.evaluation import evaluating, run_files
from rankdistill.evaluation.measures import MEASURES
from rankdistill.evaluation.results import Evaluation
from rankdistill.evaluation.tasks import catalogue, local_data, model_meta
from tests import tiny_task
from tests.recorded import record_again

TASKS = {"TinyOne": tiny_task.QUERIES, "TinyTwo": {key: tiny_task.QUERIES[key] for key in ("t0", "t3")}}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Two tasks that mteb knows, with their data."""
    with tiny_task.known_to_mteb(tmp_path_factory.mktemp("tasks"), TASKS) as folder:
        yield folder


@pytest.fixture(scope="module")
def evaluated(root: Path, tiny_encoder: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny encoder on both."""
    out = tmp_path_factory.mktemp("evaluated") / "out"
    rankdistill.evaluate(
        None, tiny_encoder, out, tasks=["TinyOne", "TinyTwo"], data_root=root, name="org/tiny", latency=2
    )
    return out


def test_the_files_are_laid_out_as_published_ones_and_mteb_reads_them(evaluated: Path, tiny_encoder: str) -> None:
    import mteb

    found = rankdistill.open(evaluated)
    revision = model_meta.content_revision(tiny_encoder)
    assert found.files == evaluated / "results" / "org__tiny" / revision
    assert {path.name for path in found.files.iterdir()} == {
        "TinyOne.json",
        "TinyTwo.json",
        "model_meta.json",
        "run_settings.jsonl",
    }
    loaded = mteb.ResultCache(evaluated).load_results(models=["org/tiny"], tasks=["TinyOne", "TinyTwo"])
    (model,) = loaded.model_results
    assert (model.model_name, model.model_revision) == ("org/tiny", revision)
    for task in model.task_results:
        assert task.dataset_revision == tiny_task.REVISION
        assert task.get_score() == pytest.approx(found.results[task.task_name]["scores"]["test"][0]["ndcg_at_10"])


def test_every_task_has_an_evaluation_with_run_and_values_a_query(evaluated: Path) -> None:
    found = rankdistill.open(evaluated)
    for task, queries in TASKS.items():
        folder = found.evaluation(task, "test")
        per_query = pl.read_parquet(folder / "per_query.parquet")
        assert sorted(per_query["query_id"]) == sorted(queries)
        run = run_files.read(folder / "run.trec")
        assert all(len(ranked) == len(tiny_task.DOCUMENTS) for ranked in run.values())
        block = found.results[task]["scores"]["test"][0]
        for name in MEASURES:
            assert per_query[name].mean() == pytest.approx(block[name], abs=1e-5)
        assert Evaluation.read(folder).system.latency_ms is not None
    found.require_agreement()


def test_the_measures_are_those_of_the_model_that_mteb_runs_itself(
    evaluated: Path, root: Path, tiny_encoder: str
) -> None:
    """The wrapper of mteb encodes and searches; nothing of ours is in between."""
    import mteb
    from mteb.models.sentence_transformer_wrapper import SentenceTransformerEncoderWrapper

    task = catalogue.task_of("TinyOne")
    dataset = local_data.load_for(task, root / "TinyOne", ["test"])
    theirs = mteb.evaluate(
        SentenceTransformerEncoderWrapper(tiny_encoder, device="cpu"),
        local_data.fill(task, dataset, ["test"]),
        cache=None,
        co2_tracker=False,
        show_progress_bar=False,
    ).task_results[0]
    ours = rankdistill.open(evaluated).results["TinyOne"]["scores"]["test"][0]
    for name, value in theirs.scores["test"][0].items():
        if isinstance(value, float) and not name.startswith("nauc"):
            assert ours[name] == pytest.approx(value, abs=1e-5), name


def test_what_is_done_is_kept_and_a_task_may_be_added(
    root: Path, tiny_encoder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    usual = evaluating.evaluate

    def counted(retriever: object, dataset: object, split: str, out: Path, **settings: object) -> Evaluation:
        asked.append(out.parent.name)
        if len(asked) == 2:
            raise KeyboardInterrupt
        return usual(retriever, dataset, split, out, **settings)  # type: ignore[arg-type]

    monkeypatch.setattr(evaluating, "evaluate", counted)
    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        rankdistill.evaluate(None, tiny_encoder, out, tasks=["TinyOne", "TinyTwo"], data_root=root)
    before = {path: path.stat().st_mtime_ns for path in (out / "TinyOne").rglob("*") if path.is_file()}
    assert list(rankdistill.open(out).results) == ["TinyOne"]
    found = rankdistill.evaluate(None, tiny_encoder, out, tasks=["TinyOne", "TinyTwo"], data_root=root)
    assert asked == ["TinyOne", "TinyTwo", "TinyTwo"]
    assert list(found.results) == ["TinyOne", "TinyTwo"]
    assert {path: path.stat().st_mtime_ns for path in before} == before
    with pytest.raises(StaleOutputError, match="revision"):
        rankdistill.evaluate(None, "bm25", out, tasks="TinyOne", data_root=root)


@pytest.mark.parametrize("damage", ["flipped", "lost"])
def test_another_task_does_not_vouch_for_what_is_damaged_of_an_earlier_one(
    root: Path, tiny_encoder: str, tmp_path: Path, damage: str
) -> None:
    out = tmp_path / "out"
    rankdistill.evaluate(None, tiny_encoder, out, tasks="TinyOne", data_root=root)
    (path,) = out.glob("results/*/*/TinyOne.json")
    before = (out / "manifest.json").read_bytes()
    if damage == "lost":
        path.unlink()
    else:
        path.write_text(path.read_text().replace("0.", "1.", 1))
    with pytest.raises(DamagedError, match=r"TinyOne\.json"):
        rankdistill.evaluate(None, tiny_encoder, out, tasks="TinyTwo", data_root=root)
    assert (out / "manifest.json").read_bytes() == before
    assert not rankdistill.verify(out).is_whole


def test_a_model_that_is_run_otherwise_is_another_revision(root: Path, tiny_encoder: str, tmp_path: Path) -> None:
    found = rankdistill.evaluate(None, tiny_encoder, tmp_path / "a", tasks="TinyTwo", data_root=root, max_length=8)
    assert found.revision != model_meta.content_revision(tiny_encoder)
    assert found.name.startswith("rankdistill/"), "a working name that nobody gave"


def test_data_of_another_revision_are_refused_by_their_counts(root: Path, tmp_path: Path) -> None:
    shutil.copytree(root / "TinyOne", tmp_path / "tiny-one")
    with (tmp_path / "tiny-one" / "corpus.jsonl").open("a") as corpus:
        corpus.write(json.dumps({"_id": "more", "title": "", "text": "one more"}) + "\n")
    with pytest.raises(DataError, match="25 documents instead of 24") as caught:
        rankdistill.evaluate(None, "bm25", tmp_path / "out", tasks="TinyOne", data_root=tmp_path)
    assert "data fetch mteb:TinyOne" in caught.value.remedy
    assert not list((tmp_path / "out").rglob("*.json"))


def test_the_counts_are_those_that_mteb_publishes(real_data: Path) -> None:
    for name, folder in (("SciFact", "scifact"), ("NFCorpus", "nfcorpus")):
        task = catalogue.task_of(name)
        dataset = local_data.load_for(task, catalogue.folder_of(real_data, name), ["test"])
        assert dataset.path.name == folder
        assert local_data.counts(dataset, "test") == local_data.published_counts(task, "test")


@pytest.mark.parametrize(
    ("tasks", "told"),
    [("SciFakt", "SciFact"), ("STS12", "of type STS"), ("MIRACLRetrieval", "has ar, bn"), ("ArguAna", "ArguAna")],
)
def test_a_task_that_is_none_is_told(root: Path, tmp_path: Path, tasks: str, told: str) -> None:
    with pytest.raises((ConfigError, DataError), match=told):
        rankdistill.evaluate(None, "bm25", tmp_path / "out", tasks=tasks, data_root=root)


def test_settings_that_tasks_do_not_take_are_told(root: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="rerank besides"):
        rankdistill.evaluate(None, "bm25", tmp_path / "out", tasks="TinyOne", data_root=root, rerank="x")
    with pytest.raises(ConfigError, match="tasks without data_root"):
        rankdistill.evaluate(None, "bm25", tmp_path / "out", tasks="TinyOne")  # type: ignore[call-overload]
    with pytest.raises(ConfigError, match="neither"):
        rankdistill.evaluate(None, "bm25", tmp_path / "out")  # type: ignore[call-overload]
    with pytest.raises(ConfigError, match="ORGANISATION/MODEL"):
        rankdistill.evaluate(None, "bm25", tmp_path / "out", tasks="TinyOne", data_root=root, name="tiny")


def test_numbers_that_do_not_agree_are_told(evaluated: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(evaluated, copy)
    (path,) = copy.glob("results/*/*/TinyOne.json")
    content = json.loads(path.read_text())
    content["scores"]["test"][0]["recall_at_100"] = 0.5
    path.write_text(json.dumps(content))
    record_again(copy)
    with pytest.raises(DataError, match=r"recall_at_100 1\.0"):
        rankdistill.open(copy).require_agreement()
