"""Results of a task with subsets are published like others; on LoTTE none of who was trained on LEAF's data are."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import rankdistill
from rankdistill.evaluation.verdict.records import Status
from rankdistill.publishing.result import Published
from tests import tiny_subsets
from tests.publishing.conftest import Made, details
from tests.recorded import record_again

NAME = "LoTTE"
"""It stands for mteb's own while these tests run: that has subsets too."""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with tiny_subsets.known_to_mteb(tmp_path_factory.mktemp("tasks"), NAME) as folder:
        yield folder


@pytest.fixture(scope="module")
def results(made: Made, root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("results") / "out"
    rankdistill.evaluate(None, made.student, out, tasks=NAME, data_root=root, name="org/tiny-student")
    return out


def publish(made: Made, root: Path, results: Path, out: Path, trained_on: list[str]) -> Published:
    config = out.parent / f"{out.name}.yaml"
    first, second = made.teachers
    models = {first: {"training_datasets": trained_on}, second: {"training_datasets": ["NQ"]}}
    config.write_text(yaml.safe_dump(details(made.teachers) | {"models": models}))
    settings: dict[str, Any] = {"latency": 0, "mock_run": False, "lineage": [made.lineage, *made.teachers]}
    return rankdistill.publish(
        made.student, out, results=results, config=config, data_root=root, dry_run=True, **settings
    )


def test_every_subset_is_checked_and_published(made: Made, root: Path, results: Path, tmp_path: Path) -> None:
    found = publish(made, root, results, tmp_path / "out", ["MSMARCO"])
    for name in ("data", "scores", "files", "prompts", "leakage", "training_data"):
        assert found.finding(name).status == Status.PASS, found.finding(name).sentence
    assert found.finding("leakage").figures["test_queries"] == 6
    blocks = json.loads((found.results / f"{NAME}.json").read_text())["scores"]["test"]
    assert [block["hf_subset"] for block in blocks] == list(tiny_subsets.SUBSETS)
    assert f"{NAME} | pt-BR, test | 2" in (found.path / "README.md").read_text()


def test_a_student_of_leafs_data_is_not_judged_on_lotte(made: Made, root: Path, results: Path, tmp_path: Path) -> None:
    found = publish(made, root, results, tmp_path / "out", ["MSMARCO", NAME])
    told = found.finding("training_data")
    assert told.status == Status.REFUSE
    assert "LoTTE is judged on, and LEAF's published training data hold" in told.sentence
    assert not found.ready


def test_a_fault_in_one_subset_is_caught(made: Made, root: Path, results: Path, tmp_path: Path) -> None:
    changed = tmp_path / "changed"
    shutil.copytree(results, changed)
    (path,) = changed.glob(f"results/*/*/{NAME}.json")
    content = json.loads(path.read_text())
    content["scores"]["test"][1]["ndcg_at_10"] += 0.01
    content["scores"]["test"][1]["main_score"] += 0.01
    path.write_text(json.dumps(content))
    record_again(changed)
    assert "LoTTE, pt-BR, test: " in publish(made, root, changed, tmp_path / "one", ["NQ"]).finding("scores").sentence

    del content["scores"]["test"][1]
    path.write_text(json.dumps(content))
    record_again(changed)
    assert "no scores of pt-BR, test" in publish(made, root, changed, tmp_path / "two", ["NQ"]).finding("data").sentence
