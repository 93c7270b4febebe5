"""A student of two teachers, with results on tiny tasks: one clean, two that it was trained on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

import rankdistill
from tests import tiny_task
from tests.conftest import write_tiny_beir


@dataclass(frozen=True)
class Made:
    """What a publication starts from.

    Args:
        student: the student.
        lineage: folder with the collection and the store that it was trained on.
        root: the data of the tasks.
        results: on the clean task.
        leaky: on a task of which a query was trained on.
        near: on a task of which a query was nearly trained on.
        config: what its publisher says.
        teachers: the two models.
    """

    student: Path
    lineage: Path
    root: Path
    results: Path
    leaky: Path
    near: Path
    config: Path
    teachers: tuple[str, str]


def details(teachers: tuple[str, str]) -> dict[str, object]:
    """A publisher's words that leave nothing out."""
    first, second = teachers
    return {
        "license": "apache-2.0",
        "release_date": "2026-11-01",
        "public_training_code": "https://example.org/code",
        "models": {first: {"training_datasets": ["MSMARCO"]}, second: {"training_datasets": ["NQ", "HotpotQA"]}},
        "collections": {"tiny": []},
        "limits": ["It knows English alone."],
    }


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: str, tiny_cross_encoder: str) -> Iterator[Made]:
    """See `Made`; trained for two steps on the mean of the two teachers' scores."""
    folder = tmp_path_factory.mktemp("publishing")
    lineage = folder / "lineage"
    data = write_tiny_beir(lineage / "tiny")
    trained_on = rankdistill.open(data).queries("train")
    first = next(iter(trained_on.values()))
    queries = dict(tiny_task.QUERIES)
    leaky = queries | {"t1": f"{first.upper()}?"}
    near = queries | {"t1": f"{first} exactly"}
    tasks = {"TinyClean": queries, "TinyLeaky": leaky, "TinyNear": near}
    teachers = (tiny_encoder, tiny_cross_encoder)
    with tiny_task.known_to_mteb(folder / "data", tasks) as root:
        candidates = rankdistill.mine(data, folder / "candidates", split="train", depth=10)
        for teacher in ({"kind": "embedding", "model": tiny_encoder}, tiny_cross_encoder):
            store = rankdistill.score(data, teacher, candidates, lineage / "store")
        student = rankdistill.train(
            data, store, tiny_encoder, folder / "student", teachers=store.teacher_ids, calibrate="zscore", steps=2,
            batch_size=2, check="off",
        )  # fmt: skip
        for name in tasks:
            rankdistill.evaluate(
                None, student, folder / name, tasks=name, data_root=root, name="org/tiny-student",
                command=f"rankdistill evaluate --tasks {name} --data-root {root} --out .",
            )  # fmt: skip
        config = folder / "publish.yaml"
        config.write_text(yaml.safe_dump(details(teachers)))
        yield Made(
            Path(student),
            lineage,
            root,
            folder / "TinyClean",
            folder / "TinyLeaky",
            folder / "TinyNear",
            config,
            teachers,
        )
