"""What made an artefact: recognised by content, told whole, and unknown where it is."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import rankdistill as rd
from rankdistill import manifest
from rankdistill.errors import ConfigError, DataError
from rankdistill.models import resolve
from rankdistill.provenance.found import at
from rankdistill.provenance.keys import cheap_keys, costly_keys
from rankdistill.provenance.lineage import Node
from rankdistill.verbs.ann_recall import ann_recall
from rankdistill.verbs.differing import compare
from rankdistill.verbs.robustness import robustness
from tests.recorded import record_again


def names(node: Node) -> dict[str, str]:
    """What the artefact calls each direct source -> the name of its folder, or the reference."""
    return {one.name: one.artefact.path.name if one.artefact else one.reference for one in node.sources}


def below(node: Node, name: str) -> Node:
    return next(one for one in node.sources if one.artefact is not None and one.artefact.path.name == name)


def test_a_student_comes_from_its_store_its_model_and_the_collection_of_dev(inside: Path) -> None:
    root = rd.lineage("STUDENT").root
    found = names(root)
    assert found["scores"] == "STORE"
    assert found["student"] == "MODEL"
    assert found["dev_qrels, dev_texts"] == "DATA"
    store = below(root, "STORE")
    assert set(names(store).values()) == {"CANDIDATES", "DATA", "TEACHER"}
    candidates = below(store, "CANDIDATES")
    assert names(candidates) == {"dataset, qrels": "DATA"}


def test_an_evaluation_comes_from_the_index_the_student_and_the_collection(inside: Path) -> None:
    root = rd.lineage("EVALUATION").root
    assert set(names(root).values()) == {"INDEX", "STUDENT", "DATA"}
    assert set(names(below(root, "INDEX")).values()) == {"STUDENT", "DATA"}
    assert all(node.is_known for node in root.walk())


def test_a_measured_fidelity_comes_from_the_student_the_scores_and_the_collection(inside: Path, tmp_path: Path) -> None:
    words = "rankdistill fidelity --model STUDENT --store STORE --data DATA --split train --out ."
    for name in ("one", "two"):
        rd.fidelity("DATA", "STUDENT", "STORE", tmp_path / name, split="train", backend="torch", command=words + name)
    root = rd.lineage(tmp_path / "one", within=["."]).root
    assert set(names(root).values()) == {"STUDENT", "STORE", "DATA"}
    assert all(node.is_known for node in root.walk())
    found = compare("fidelity", tmp_path / "one", tmp_path / "two")
    assert found.state == "same", "the command line is no figure"


def test_runs_are_followed_to_what_answered_them(pipeline: Path, tmp_path: Path) -> None:
    """A fusion of runs, a run evaluated as it is, and a fidelity beside one; who answers with one has its hash."""
    for name in ("DATA", "MODEL", "INDEX", "STUDENT", "STORE", "EVALUATION"):
        shutil.copytree(pipeline / name, tmp_path / name)
    data, trained = tmp_path / "DATA", tmp_path / "STUDENT"
    words = tmp_path / "WORDS"
    rd.evaluate(data, "bm25", words, split="test")
    rd.fuse(data, [words, tmp_path / "EVALUATION"], tmp_path / "FUSED", split="test")
    rd.evaluate(data, tmp_path / "EVALUATION", tmp_path / "AGAIN", split="test")
    rd.evaluate(data, tmp_path / "AGAIN", tmp_path / "AGAIN-AGAIN", split="test")
    rd.evaluate(data, trained, tmp_path / "TRAIN", split="train", backend="torch")
    rd.fidelity(
        data, trained, tmp_path / "STORE", tmp_path / "FIDELITY", split="train", run=tmp_path / "TRAIN", backend="torch"
    )
    fused = rd.lineage(tmp_path / "FUSED").root
    runs = [one.artefact.path.name for one in fused.sources if one.name == "run" and one.artefact is not None]
    assert runs == ["WORDS", "EVALUATION"]
    for name, run in (
        ("FUSED", "EVALUATION"),
        ("AGAIN", "EVALUATION"),
        ("AGAIN-AGAIN", "EVALUATION"),
        ("FIDELITY", "TRAIN"),
    ):
        root = rd.lineage(tmp_path / name).root
        assert run in [one.artefact.path.name for one in root.sources if one.name == "run" and one.artefact is not None]
        assert "STUDENT" in names(below(root, run)).values()
    shutil.rmtree(words)
    assert "run (not here)" in {row.path: row.sources for row in rd.artefacts(tmp_path)}["FUSED"]


def test_what_is_measured_of_towers_comes_from_both(inside: Path, tmp_path: Path) -> None:
    robustness("DATA", "STUDENT", "MODEL", tmp_path / "grid", draws=0, unaligned=True)
    ann_recall("DATA", "STUDENT", "MODEL", tmp_path / "curves", search={"efSearch": [1]}, unaligned=True)
    for name in ("grid", "curves"):
        assert set(names(rd.lineage(tmp_path / name, within=["."]).root).values()) == {"STUDENT", "MODEL", "DATA"}


def test_the_tree_tells_every_artefact_and_its_command_once(inside: Path) -> None:
    text = str(rd.lineage("EVALUATION"))
    for command in ("mine", "score", "train", "index", "evaluate"):
        assert text.count(f"rankdistill {command} ") == 1
    assert text.count("what made it stands above") == 1
    assert "├─ scores: STORE [scores: 1 teacher: " in text
    assert "not found" not in text


def test_what_was_moved_and_renamed_is_found_where_one_looks(pipeline: Path, tmp_path: Path) -> None:
    shutil.copytree(pipeline / "EVALUATION", tmp_path / "here" / "measured")
    for name in ("INDEX", "STUDENT", "STORE"):
        shutil.copytree(pipeline / name, tmp_path / "there" / f"{name.lower()}-of-last-year")
    alone = rd.lineage(tmp_path / "here" / "measured")
    assert [one.artefact for one in alone.root.sources] == [None] * len(alone.root.sources)
    assert "not found here" in str(alone)
    root = rd.lineage(tmp_path / "here" / "measured", within=tmp_path / "there").root
    assert {"index-of-last-year", "student-of-last-year"} <= set(names(root).values())
    assert names(below(root, "student-of-last-year"))["scores"] == "store-of-last-year"


def test_a_student_whose_bytes_changed_is_not_the_one_that_was_evaluated(pipeline: Path, tmp_path: Path) -> None:
    """Names are the same: only the hashes tell."""
    shutil.copytree(pipeline, tmp_path / "copy")
    weights = tmp_path / "copy" / "STUDENT" / "config.json"
    weights.write_text(weights.read_text() + " ")
    record_again(tmp_path / "copy" / "STUDENT")
    root = rd.lineage(tmp_path / "copy" / "EVALUATION", within=tmp_path / "copy").root
    assert "STUDENT" not in names(root).values()


def test_the_hash_of_a_model_from_its_manifest_is_the_one_from_its_files(pipeline: Path) -> None:
    student = at(pipeline / "STUDENT")
    assert student is not None
    assert resolve(str(pipeline / "STUDENT")).weights_hash in cheap_keys(student)
    data = at(pipeline / "DATA")
    assert data is not None
    assert rd.open(pipeline / "DATA").fingerprint in costly_keys(data)


def test_json_has_the_manifest_of_every_artefact(inside: Path) -> None:
    found = rd.lineage("STUDENT").to_json()
    assert found["identity"] == manifest.read(Path("STUDENT")).identity  # type: ignore[union-attr]
    store = next(one for one in found["sources"] if one.get("kind") == "scores")
    assert store["command"].startswith("rankdistill score ")
    assert json.dumps(found)
    edges = rd.lineage("STUDENT").to_polars()
    assert edges.columns == ["path", "name", "source", "kind", "command"]
    assert {"scores", "dataset", "model"} <= set(edges["kind"])


@pytest.mark.parametrize("suffix", [".svg", ".png", ".pdf", ".mmd"])
def test_a_picture_is_the_same_twice(inside: Path, tmp_path: Path, suffix: str) -> None:
    first, second = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
    rd.lineage("EVALUATION", draw=first)
    rd.lineage("EVALUATION").draw(second)
    assert first.read_bytes() == second.read_bytes()
    assert len(first.read_bytes()) > 300
    if suffix == ".mmd":
        text = first.read_text()
        assert text.startswith("flowchart LR\n")
        assert text.count("-->") == len(
            {*zip(*(rd.lineage("EVALUATION").to_polars()[name] for name in ("path", "source")), strict=True)}
        )
    if suffix == ".svg":
        assert "STUDENT" in first.read_text()


def test_a_picture_of_another_kind_is_refused_before_anything_is_looked_for(inside: Path) -> None:
    with pytest.raises(ConfigError, match=r"\.svg, \.png"):
        rd.lineage("STUDENT", draw="lineage.gif")


def test_no_folder_is_told(inside: Path) -> None:
    with pytest.raises(DataError, match="lineage is not known"):
        rd.lineage("nowhere")


def test_a_folder_without_an_artefact_says_where_to_look(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="rankdistill list"):
        rd.lineage(tmp_path)
