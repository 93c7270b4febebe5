"""A system on tasks of mteb: mteb's own files, our evaluations beside them, a task at a time."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

import rankdistill
from rankdistill import manifest
from rankdistill.cli import parsing
from rankdistill.data import from_mteb
from rankdistill.errors import ConfigError, DamagedError, DataError, StaleOutputError
from rankdistill.evaluation import curves, evaluating, run_files
from rankdistill.evaluation.measures import MEASURES
from rankdistill.evaluation.results import Evaluation
from rankdistill.evaluation.tasks import catalogue, local_data, model_meta, scoring
from rankdistill.models import resolve
from tests import tiny_task
from tests.conftest import write_tiny_beir
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


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_rounded_vectors_of_a_store_are_another_revision(
    root: Path, tiny_encoder: str, tmp_path: Path, dtype: str
) -> None:
    """Their results were filed as the model's own, and published so."""
    store = rankdistill.embed(root / "TinyTwo", tiny_encoder, tmp_path / "store", dtype=dtype, backend="torch")
    given = {"tasks": "TinyTwo", "data_root": root, "backend": "torch"}
    found = rankdistill.evaluate(None, tiny_encoder, tmp_path / "a", embeddings=store, **given)
    own = model_meta.content_revision(tiny_encoder)
    assert (found.revision == own) == (dtype == "float32")


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
    [("SciFakt", "SciFact"), ("STS12", "of type STS"), ("MIRACLRetrieval", "the subset ar of"), ("ArguAna", "ArguAna")],
)
def test_a_task_that_is_none_is_told(root: Path, tmp_path: Path, tasks: str, told: str) -> None:
    with pytest.raises((ConfigError, DataError), match=told):
        rankdistill.evaluate(None, "bm25", tmp_path / "out", tasks=tasks, data_root=root)


def test_settings_that_tasks_do_not_take_are_told(root: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="index besides"):
        rankdistill.evaluate(None, "bm25", tmp_path / "out", tasks="TinyOne", data_root=root, index="x")
    with pytest.raises(ConfigError, match="no tasks"):
        rankdistill.evaluate(None, "bm25", tmp_path / "out", tasks=[], data_root=root)
    with pytest.raises(ConfigError, match="factory"):
        rankdistill.evaluate(None, "bm25", tmp_path / "out", tasks="TinyOne", data_root=root, factory="Flat")
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


@pytest.fixture
def both(root: Path) -> Iterator[str]:
    """An aggregate of the two tasks, which mteb knows."""
    import mteb
    from mteb.abstasks.aggregate_task_metadata import AggregateTaskMetadata
    from mteb.abstasks.aggregated_task import AbsTaskAggregate
    from mteb.get_tasks import _TASKS_REGISTRY

    class TinyBoth(AbsTaskAggregate):
        metadata = AggregateTaskMetadata(
            name="TinyBoth",
            description="Two tiny tasks",
            tasks=[mteb.get_task(name) for name in TASKS],
            main_score="ndcg_at_10",
            type="Retrieval",
            eval_splits=["test"],
        )

    _TASKS_REGISTRY["TinyBoth"] = TinyBoth
    yield "TinyBoth"
    del _TASKS_REGISTRY["TinyBoth"]


def test_an_aggregate_stands_for_its_tasks(both: str, root: Path, tmp_path: Path) -> None:
    found = rankdistill.evaluate(None, "bm25", tmp_path / "out", tasks=["TinyTwo", both], data_root=root)
    assert list(found.results) == list(TASKS)
    with pytest.raises(ConfigError, match="TinyBoth is one of 2 tasks"):
        catalogue.task_of(both)


def test_the_aggregate_of_beir_stands_for_twelve_tasks_without_data() -> None:
    import mteb

    found = catalogue.tasks_of(["CQADupstackRetrieval"])
    names = [one.metadata.name for one in found.tasks]
    assert len(names) == 12
    assert {"CQADupstackAndroidRetrieval", "CQADupstackWordpressRetrieval"} <= set(names)
    assert "12 tasks" in found.notes[0]
    shared = {id(one) for one in mteb.get_task("CQADupstackRetrieval").metadata.tasks}
    assert not shared & {id(one) for one in found.tasks}, "the data of one run would stay in mteb's own"


def test_a_benchmark_stands_for_its_retrieval_tasks_on_its_splits() -> None:
    nano = catalogue.tasks_of(["NanoBEIR"])
    assert len(nano.tasks) == 13
    assert {tuple(catalogue.splits_of(one, ())) for one in nano.tasks} == {("train",)}
    english = catalogue.tasks_of(["MTEB(eng, v2)"])
    names = [one.metadata.name for one in english.tasks]
    assert {"ArguAna", "SCIDOCS", "Touche2020Retrieval.v3"} <= set(names)
    assert "STS12" not in names
    told, left = english.notes
    assert told.startswith(f"MTEB(eng, v2) stands for {len(names)} tasks: ArguAna")
    assert "of type STS" in left
    beir = {one.metadata.name: one for one in catalogue.tasks_of(["BEIR"]).tasks}
    assert len(beir) == 26
    assert catalogue.splits_of(beir["MSMARCO"], ()) == ["dev"]
    assert catalogue.splits_of(beir["MSMARCO"], ["test"]) == ["test"]
    beta = catalogue.tasks_of(["RTEB(beta)"])
    (_, hidden) = beta.notes
    assert "EnglishFinance1Retrieval is not public" in hidden
    (cure,) = [one for one in beta.tasks if one.metadata.name == "CUREv1"]
    assert catalogue.subsets_of(cure) == ["en", "es", "fr"]


def test_names_of_neither_tasks_nor_benchmarks_are_told_with_what_they_are_like() -> None:
    with pytest.raises(ConfigError, match=r"SciFact(.|\n)*as a benchmark") as caught:
        catalogue.tasks_of(["SciFakt"])
    assert "task or a benchmark" in str(caught.value)
    with pytest.raises(ConfigError, match=r"MTEB\(eng, v2\)"):
        catalogue.tasks_of(["MTEB(eng, v3)"])
    with pytest.raises(ConfigError, match="with a task of type Retrieval"):
        catalogue.tasks_of(["MTEB(Code, v1)", "RAR-b", "BRIGHT", "FollowIR"])


@pytest.mark.parametrize(
    ("typed", "names"),
    [
        ("SciFact, NFCorpus", ["SciFact", "NFCorpus"]),
        ("MTEB(eng, v2)", ["MTEB(eng, v2)"]),
        ("ArguAna,MTEB(eng, v2),RTEB(fin, beta)", ["ArguAna", "MTEB(eng, v2)", "RTEB(fin, beta)"]),
        (None, None),
    ],
)
def test_a_comma_within_parentheses_belongs_to_a_name(typed: str | None, names: list[str] | None) -> None:
    assert parsing.tasks(typed) == names


def test_an_empty_name_is_told() -> None:
    with pytest.raises(ConfigError, match="leave no task empty"):
        parsing.tasks("SciFact,,NFCorpus")


def test_without_a_folder_the_data_are_fetched_once(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mteb

    fetched: list[str] = []

    def download(name: str) -> from_mteb.TaskData:
        fetched.append(name)
        task = mteb.get_task(name)
        dataset = local_data.load_for(task, root / name, ["test"])
        return from_mteb.TaskData(local_data.fill(task, dataset, ["test"]).dataset, False)

    monkeypatch.setenv("RANKDISTILL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(from_mteb, "download", download)
    found = rankdistill.evaluate(None, "bm25", tmp_path / "out", tasks="TinyOne")
    rankdistill.evaluate(None, "bm25:words", tmp_path / "other", tasks="TinyOne")
    assert fetched == ["TinyOne"]
    assert [path.name for path in (tmp_path / "cache" / "tasks").iterdir()] == [f"TinyOne-{tiny_task.REVISION[:12]}"]
    here = rankdistill.evaluate(None, "bm25", tmp_path / "here", tasks="TinyOne", data_root=root)
    assert found.to_json()["tasks"] == here.to_json()["tasks"]


def test_without_a_folder_and_a_hub_the_flag_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def download(name: str) -> None:
        raise ConnectionError("no route")

    monkeypatch.setenv("RANKDISTILL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(from_mteb, "download", download)
    with pytest.raises(DataError, match="no route") as caught:
        rankdistill.evaluate(None, "bm25", tmp_path / "out", tasks="SciFact")
    assert "--data-root" in caught.value.remedy


def test_what_is_counted_is_what_a_list_and_a_set_give(tmp_path: Path) -> None:
    documents = {f"d{place}": f"word{place % 7} \U0001f989 tail" for place in range(50)}
    dataset = rankdistill.open(tiny_task.write_collection(tmp_path / "data", tiny_task.QUERIES, documents))
    texts = [f"{text.split()[0]} {text}" for text in documents.values()]
    found = local_data.counts(dataset, "test")
    assert found["documents"] == len(texts)
    assert found["different documents"] == len(set(texts)) == 7
    assert found["characters of documents"] == sum(map(len, texts))


def test_a_large_corpus_is_neither_counted_nor_scored_in_memory(tmp_path: Path) -> None:
    """2,000 documents of 8,000 characters: 16 MB, of which at no time a tenth is held."""
    import tracemalloc

    text = "owl moor winter " * 500
    documents = {f"p{place}": f"{place} {text}" for place in range(2000)}
    folder = tiny_task.write_collection(tmp_path / "data", tiny_task.QUERIES, documents)
    task = catalogue.task_of("SciFact")
    dataset = local_data.load_for(task, folder, ["test"])
    runs = {"test": {key: {"p0": 1.0} for key in tiny_task.QUERIES}}
    meta = model_meta.meta_of("org/tiny", "0" * 40, {}, None, "text", None)
    scoring.score(catalogue.task_of("SciFact"), dataset, ["test"], runs, meta)  # imports
    tracemalloc.start()
    try:
        found = local_data.counts(dataset, "test")
        scored = scoring.score(task, dataset, ["test"], runs, meta)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found["different documents"] == 2000
    assert scored.scores["test"][0]["recall_at_1"] > 0
    assert peak < 1.6e6


def test_a_teacher_that_reranks_is_evaluated_on_tasks(
    root: Path, tiny_encoder: str, tiny_cross_encoder: str, tmp_path: Path
) -> None:
    found = rankdistill.evaluate(
        None, tiny_encoder, tmp_path / "out", tasks="TinyOne", data_root=root, rerank=tiny_cross_encoder, rerank_depth=5
    )
    alone = rankdistill.evaluate(
        root / "TinyOne", tiny_encoder, tmp_path / "alone", rerank=tiny_cross_encoder, rerank_depth=5
    )
    ours = Evaluation.read(found.evaluation("TinyOne", "test"))
    assert ours.system.measures == pytest.approx(alone.system.measures)
    assert ours.signature["system"] == alone.signature["system"]
    found.require_agreement()
    made = manifest.read(found.path)
    assert made is not None
    weights = {resolve(one).weights_hash for one in (tiny_encoder, tiny_cross_encoder)}
    assert weights <= set(made.inputs.values())
    with pytest.raises(StaleOutputError, match="revision"):
        rankdistill.evaluate(
            None, tiny_encoder, tmp_path / "out", tasks="TinyOne", data_root=root, rerank=tiny_cross_encoder
        )


def test_another_index_in_memory_is_another_revision(root: Path, tiny_encoder: str, tmp_path: Path) -> None:
    found = rankdistill.evaluate(None, tiny_encoder, tmp_path / "out", tasks="TinyTwo", data_root=root, factory="Flat")
    assert found.revision != model_meta.content_revision(tiny_encoder)
    exact = rankdistill.evaluate(None, tiny_encoder, tmp_path / "exact", tasks="TinyTwo", data_root=root)
    first, second = (one.results["TinyTwo"]["scores"]["test"][0]["ndcg_at_10"] for one in (found, exact))
    assert first == pytest.approx(second)


def test_the_curves_of_a_training_and_its_student_are_reached_from_its_results(
    root: Path, tiny_encoder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the results of all tasks and of one; in the list they are evaluations, with their measures."""
    monkeypatch.chdir(tmp_path)
    data = write_tiny_beir(Path("DATA"))
    store = rankdistill.score(data, tiny_encoder, rankdistill.mine(data, "CANDIDATES", depth=8), "STORE")
    settings = {"steps": 4, "batch_size": 2, "log_steps": 2, "check": "off"}
    student = rankdistill.train(data, store, tiny_encoder, "STUDENT", **settings)
    found = rankdistill.evaluate(
        None, student, "RESULTS", tasks=["TinyOne", "TinyTwo"], data_root=root, name="org/tiny",
        command=f"rankdistill evaluate --model STUDENT --data-root {root} --out .",
    )  # fmt: skip
    trained = curves.read(found.evaluation("TinyOne", "test"))
    assert trained is not None
    assert [step for step, _ in trained.loss] == [2, 4]

    told = rankdistill.lineage("RESULTS")
    by_name = {node.name: node for node in told.root.walk()}
    assert by_name["model"].artefact is not None
    assert by_name["model"].artefact.path == Path("STUDENT")
    assert by_name["data of TinyOne"].artefact is not None
    assert "STORE" in str(told), "what made the student too"
    assert [node.name for node in told.root.sources if not node.is_known] == []

    of_one = {node.name for node in rankdistill.lineage("RESULTS/TinyOne", within=[".", root]).root.walk()}
    assert {"model", "data, qrels test", "student"} <= of_one

    (row,) = rankdistill.artefacts(".", kinds="evaluations")
    assert (row.path, row.kind) == ("RESULTS", "task evaluations")
    score = found.results["TinyOne"]["scores"]["test"][0]["main_score"]
    assert row.what.startswith(f"org/tiny, 2 tasks of mteb, TinyOne {score:.4f}, TinyTwo ")
    assert "STUDENT" in row.sources
