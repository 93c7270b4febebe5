"""Tasks of mteb with subsets: a collection and an evaluation each, one file of mteb, one mean."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import rankdistill
from rankdistill.data import from_mteb
from rankdistill.errors import ConfigError, DataError
from rankdistill.evaluation.measures import MEASURES
from rankdistill.evaluation.results import Evaluation
from rankdistill.evaluation.tasks import catalogue, local_data
from rankdistill.verbs.differing import compare_parts
from tests import tiny_subsets, tiny_task

NAME = "TinyWorld"
SUBSETS = list(tiny_subsets.SUBSETS)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The task, and one without subsets beside it."""
    folder = tmp_path_factory.mktemp("tasks")
    with (
        tiny_subsets.known_to_mteb(folder, NAME),
        tiny_task.known_to_mteb(folder, {"TinyPlain": tiny_task.QUERIES}),
    ):
        yield folder


@pytest.fixture(scope="module")
def evaluated(root: Path, tiny_encoder: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("evaluated") / "out"
    rankdistill.evaluate(None, tiny_encoder, out, tasks=[NAME, "TinyPlain"], data_root=root, name="org/tiny")
    return out


def test_the_file_is_that_of_mteb_running_the_model_itself(evaluated: Path, root: Path, tiny_encoder: str) -> None:
    """The wrapper of mteb encodes and searches each subset; nothing of ours is in between."""
    import mteb
    from mteb.models.sentence_transformer_wrapper import SentenceTransformerEncoderWrapper

    task = catalogue.task_of(NAME)
    data = {one: local_data.load_for(task, root / NAME / one, ["test"]) for one in SUBSETS}
    theirs = mteb.evaluate(
        SentenceTransformerEncoderWrapper(tiny_encoder, device="cpu"),
        local_data.fill(task, data, ["test"]),
        cache=None,
        co2_tracker=False,
        show_progress_bar=False,
    ).task_results[0]
    found = rankdistill.open(evaluated)
    ours = found.results[NAME]["scores"]["test"]
    assert [block["hf_subset"] for block in ours] == SUBSETS
    assert [block["languages"] for block in ours] == list(tiny_subsets.LANGUAGES.values())
    for mine, other in zip(ours, theirs.scores["test"], strict=True):
        assert mine["hf_subset"] == other["hf_subset"]
        for name, value in other.items():
            if isinstance(value, float) and not name.startswith("nauc"):
                assert mine[name] == pytest.approx(value, abs=1e-5), name
    assert ours[0]["ndcg_at_10"] != ours[1]["ndcg_at_10"]

    (model,) = mteb.ResultCache(evaluated).load_results(models=["org/tiny"], tasks=[NAME]).model_results
    told = found.to_json()["tasks"][NAME]["test"]
    assert told["main_score"] == pytest.approx(model.task_results[0].get_score()) == pytest.approx(theirs.get_score())
    assert list(told["subsets"]) == SUBSETS
    assert "subsets" not in found.to_json()["tasks"]["TinyPlain"]["test"]


def test_each_subset_has_an_evaluation_with_a_run_and_values_a_query(evaluated: Path) -> None:
    found = rankdistill.open(evaluated)
    for block in found.results[NAME]["scores"]["test"]:
        folder = found.evaluation(NAME, "test", block["hf_subset"])
        assert folder == evaluated / NAME / block["hf_subset"] / "test"
        per_query = pl.read_parquet(folder / "per_query.parquet")
        assert sorted(per_query["query_id"]) == sorted(tiny_subsets.SUBSETS[block["hf_subset"]])
        for name in MEASURES:
            assert per_query[name].mean() == pytest.approx(block[name], abs=1e-5)
        assert Evaluation.read(folder).queries == len(per_query)
    found.require_agreement()
    assert rankdistill.verify(evaluated).is_whole
    (table,) = found.tables()
    assert [row[:3] for row in table.rows] == [
        ["TinyPlain", "", "test"],
        [NAME, "en", "test"],
        [NAME, "pt-BR", "test"],
        [NAME, "mean of 2", "test"],
    ]
    mean = found.to_polars().filter(task=NAME, measure="main_score")["value"].mean()
    assert table.rows[3][3] == f"{mean:.5f}"
    named = {node.name for node in rankdistill.lineage(evaluated, within=[evaluated]).root.walk()}
    assert {f"data en of {NAME}", f"data pt-BR of {NAME}", "data of TinyPlain"} <= named


def test_a_subset_may_be_evaluated_alone(root: Path, evaluated: Path, tiny_encoder: str, tmp_path: Path) -> None:
    shutil.copytree(root / NAME / "pt-BR", tmp_path / "data" / "tiny-world" / "pt_br")
    given: dict[str, Any] = {"data_root": tmp_path / "data", "name": "org/tiny"}
    found = rankdistill.evaluate(None, tiny_encoder, tmp_path / "out", tasks=f"{NAME}/pt-BR", **given)
    (block,) = found.results[NAME]["scores"]["test"]
    assert block == rankdistill.open(evaluated).results[NAME]["scores"]["test"][1]
    with pytest.raises(DataError, match=f"subset en of {NAME}") as caught:
        rankdistill.evaluate(None, tiny_encoder, tmp_path / "other", tasks=NAME, **given)
    assert f"mteb:{NAME}/en" in caught.value.remedy
    both = catalogue.tasks_of([f"{NAME}/pt-BR", f"{NAME}/en"]).tasks
    assert [catalogue.subsets_of(one) for one in both] == [SUBSETS]


@pytest.mark.parametrize(
    ("task", "told"), [(f"{NAME}/fr", "has en, pt-BR"), ("TinyPlain/en", "no subsets"), ("TinyNone/en", "TinyNone")]
)
def test_a_subset_that_is_none_is_told(root: Path, tmp_path: Path, task: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        rankdistill.evaluate(None, "bm25", tmp_path / "out", tasks=task, data_root=root)
    assert not (tmp_path / "out").exists()


def test_a_subset_with_other_data_is_refused_by_its_counts(root: Path, tmp_path: Path) -> None:
    shutil.copytree(root / NAME, tmp_path / NAME)
    with (tmp_path / NAME / "pt-BR" / "corpus.jsonl").open("a") as corpus:
        corpus.write(json.dumps({"_id": "more", "title": "", "text": "one more"}) + "\n")
    with pytest.raises(DataError, match="22 documents instead of 21") as caught:
        rankdistill.evaluate(None, "bm25", tmp_path / "out", tasks=NAME, data_root=tmp_path)
    assert "subset pt-BR" in str(caught.value)
    assert f"data fetch mteb:{NAME}/pt-BR" in caught.value.remedy


def test_an_interrupted_task_keeps_the_subset_that_is_done(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rankdistill.evaluation import evaluating

    usual: Callable[..., Any] = evaluating.answer
    asked: list[int] = []

    def counted(retriever: object, dataset: object, queries: Mapping[str, str], depth: int) -> object:
        asked.append(len(queries))
        if len(asked) == 2:
            raise KeyboardInterrupt
        return usual(retriever, dataset, queries, depth)

    monkeypatch.setattr(evaluating, "answer", counted)
    with pytest.raises(KeyboardInterrupt):
        rankdistill.evaluate(None, "bm25", tmp_path / "out", tasks=NAME, data_root=root)
    found = rankdistill.evaluate(None, "bm25", tmp_path / "out", tasks=NAME, data_root=root)
    assert asked == [4, 2, 2]
    found.require_agreement()


def test_without_a_folder_each_subset_is_fetched(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import mteb

    def download(name: str) -> from_mteb.TaskData:
        task = mteb.get_task(name)
        data = {one: local_data.load_for(task, root / name / one, ["test"]) for one in SUBSETS}
        return from_mteb.TaskData(local_data.fill(task, data, ["test"]).dataset, False)

    monkeypatch.setenv("RANKDISTILL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(from_mteb, "download", download)
    found = rankdistill.evaluate(None, "bm25", tmp_path / "out", tasks=NAME)
    here = rankdistill.evaluate(None, "bm25", tmp_path / "here", tasks=NAME, data_root=root)
    assert found.to_json()["tasks"] == here.to_json()["tasks"]
    compared = compare_parts("", tmp_path / "out", tmp_path / "here")
    assert [(one.name, one.state) for one in compared] == [(f"{NAME}/{one}/test", "same") for one in SUBSETS]


def test_a_split_that_is_named_is_the_one_that_is_evaluated(root: Path, tmp_path: Path) -> None:
    """MSMARCO's own is dev: who names test means test."""
    assert catalogue.splits_of(catalogue.task_of("MSMARCO"), ()) == ["dev"]
    for split in ("test", None):
        out = tmp_path / f"of-{split}"
        found = rankdistill.evaluate(None, "bm25", out, tasks="TinyPlain", data_root=root, split=split)
        assert list(found.results["TinyPlain"]["scores"]) == ["test"]
    with pytest.raises(DataError, match="dev") as caught:
        rankdistill.evaluate(None, "bm25", tmp_path / "out", tasks="TinyPlain", data_root=root, split="dev")
    assert "test" in str(caught.value)


def test_what_mteb_ranks_otherwise_is_left_out() -> None:
    for name, told in (("BrightBiologyRetrieval", "candidates of each query"), ("VDRMultilingualRetrieval", "image")):
        with pytest.raises(ConfigError, match=told):
            catalogue.tasks_of([name])


def test_lotte_is_evaluated_here_so_that_publishing_can_refuse_it() -> None:
    """The check goes by the task's name, so it must be mteb's."""
    lotte = catalogue.task_of("LoTTE")
    assert "writing_search" in catalogue.subsets_of(lotte)
    assert local_data.published_counts(lotte, "test", "writing_search") is not None
