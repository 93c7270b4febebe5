"""A wrong name or type is a ConfigError before anything runs; what is right passes through as it is."""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol, get_overloads, get_type_hints

import numpy as np
import pytest

import rankdistill
from rankdistill.errors import ConfigError, OutputError
from rankdistill.progress import Lines, ProgressLike
from rankdistill.verbs.ann_recall import ann_recall
from rankdistill.verbs.arguments import Data, Place, Teacher
from rankdistill.verbs.contract import verb
from rankdistill.verbs.explain import explain
from rankdistill.verbs.robustness import robustness
from rankdistill.verbs.sparsity import sparsity
from rankdistill.verbs.wording import words


class Source(Protocol):
    @property
    def name(self) -> str: ...

    def retrieve(self, queries: list[str]) -> list[str]: ...


class Right:
    @property
    def name(self) -> str:
        raise AssertionError("nothing of an argument is evaluated")

    def retrieve(self, queries: list[str]) -> list[str]:
        return queries


@verb
def work(
    data: str | os.PathLike[str],
    sources: str | Source | Sequence[str | Source],
    *,
    depth: int = 50,
    weights: Sequence[float] | None = None,
    kind: Literal["a", "b"] = "a",
    progress: ProgressLike = False,
    **settings: Any,
) -> tuple[Any, ...]:
    """Something."""
    return data, sources, depth, weights, settings


@pytest.mark.parametrize("data", ["DIR", Path("DIR")])
@pytest.mark.parametrize("sources", ["bm25", ["bm25"], Right(), [Right(), "bm25"], ("bm25",)])
def test_what_is_right_passes_as_it_is(data: object, sources: object) -> None:
    found = work(data, sources, depth=3, weights=[1, 0.5], loss="kl", progress=print)  # type: ignore[arg-type]
    assert found == (data, sources, 3, [1, 0.5], {"loss": "kl"})
    assert found[1] is sources


@pytest.mark.parametrize(
    ("given", "named", "told"),
    [
        ((3, "bm25"), {}, "data of work\\(\\) to be a str or a path\n"),
        (("DIR", 5), {}, "sources of work\\(\\) to be a str, a Source or a sequence of these\n"),
        (("DIR", [5]), {}, "sources of work"),
        (("DIR", "bm25"), {"depth": "50"}, "depth of work\\(\\) to be an int\ngot: '50' of type str"),
        (("DIR", "bm25"), {"depth": True}, "depth"),
        (("DIR", "bm25"), {"weights": "0.5,0.5"}, "weights of work\\(\\) to be a sequence of number or None\n"),
        (("DIR", "bm25"), {"kind": "c"}, "kind of work\\(\\) to be 'a' or 'b'\n"),
        (("DIR", "bm25"), {"progress": 3}, "progress"),
        (("DIR",), {}, "missing a required argument: 'sources'"),
        (("DIR", "bm25", 3), {}, "too many positional arguments"),
    ],
)
def test_what_is_wrong_is_told_before_anything_runs(given: tuple[Any, ...], named: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        work(*given, **named)


def test_an_unknown_name_is_told_with_the_near_one() -> None:
    @verb
    def other(data: str, *, depth: int = 1) -> int:
        return depth

    with pytest.raises(ConfigError, match="'dept'") as caught:
        other("DIR", dept=3)  # type: ignore[call-arg]
    assert caught.value.remedy == "depth is meant?"


@pytest.mark.parametrize(
    ("hint", "said"),
    [
        (Teacher, "a str, a path or a mapping"),
        (Data | Sequence[Data] | None, "a str, a path, a Dataset, a sequence of these or None"),
        (Sequence[Place], "a sequence of str or path"),
        (str | Sequence[str], "a str or a sequence of str"),
        (Mapping[str, Sequence[int]] | None, "a mapping or None"),
        (None | int | float, "an int, a number or None"),
        (Literal["all", 3] | bool, "'all', 3 or a bool"),
        (ProgressLike, "a bool, a function or a Reporter"),
        (Any, "anything"),
    ],
)
def test_an_annotation_is_said_in_words_whatever_its_alias_is_called(hint: object, said: str) -> None:
    assert words(hint) == said


def test_the_error_of_an_alias_says_what_it_stands_for() -> None:
    with pytest.raises(ConfigError) as caught:
        rankdistill.check(3)  # type: ignore[arg-type]
    assert caught.value.expected == "store of check() to be a str, a path or a ScoreStore"


@pytest.mark.parametrize(("name", "left_out"), [("score", {"shard"}), ("embed", {"shard", "plan", "sample"})])
def test_what_editors_see_of_a_verb_that_may_give_less_than_a_store_is_its_signature(
    name: str, left_out: set[str]
) -> None:
    function = getattr(rankdistill, name)
    usual, *others = get_overloads(function)
    told = dict(inspect.signature(function).parameters)
    assert dict(inspect.signature(usual).parameters) == {one: told[one] for one in told if one not in left_out}
    assert list(inspect.signature(usual).parameters) == [one for one in told if one not in left_out]
    for other in others:
        assert set(inspect.signature(other).parameters) - {"settings"} < set(told)


class InBytes:
    def __fspath__(self) -> bytes:
        return b"DIR"


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ("a\0b", "a null character"),
        ("\udcff", "not Unicode"),
        (InBytes(), "its path is no str"),
        (Path("a\0b"), "a null character"),
    ],
)
def test_a_path_that_no_file_can_have_is_told(data: Any, told: str) -> None:
    with pytest.raises(ConfigError, match=f"data of work\\(\\).*\n.*{told}"):
        work(data, "bm25")
    with pytest.raises(ConfigError, match="sources of work"):
        work("DIR", ["bm25", "a\0b"])


def test_a_number_beyond_64_bits_is_told() -> None:
    with pytest.raises(ConfigError, match="it is too large"):
        work("DIR", "bm25", depth=10**30)


def test_numbers_of_numpy_are_those_of_python() -> None:
    found = work("DIR", "bm25", depth=np.int64(3), weights=[np.float32(0.5), 1], steps=np.int64(4))
    assert found == ("DIR", "bm25", 3, [0.5, 1], {"steps": 4})
    assert [type(one) for one in (found[2], *found[3], found[4]["steps"])] == [int, float, int, int]


@verb
def opens(path: str) -> None:
    """Something."""
    Path(path).write_text("text")


def test_what_the_system_says_of_a_file_is_an_error_of_ours(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="a folder stands where a file is needed"):
        opens(str(tmp_path))
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="a file stands where a folder is needed"):
        opens(str(tmp_path / "file" / "below"))
    with pytest.raises(ConfigError, match="File name too long"):
        opens(str(tmp_path / ("x" * 500)))


@pytest.mark.parametrize(
    "call",
    [
        lambda data, out: rankdistill.mine(data, out, max_length=-1),
        lambda data, out: rankdistill.index(data, "MODEL", out, max_length=-1),
        lambda data, out: rankdistill.rerank(data, "RUN", "MODEL", out, max_length=3),
        lambda data, out: rankdistill.evaluate(data, "MODEL", out, max_length=0),
        lambda data, out: rankdistill.evaluate(data, "bm25", out, rerank="MODEL", rerank_max_length=0),
        lambda data, out: explain("MODEL", "a text", max_length=0),
        lambda data, out: sparsity(data, "MODEL", out, document_terms=[4], max_length=0),
        lambda data, out: robustness(data, "MODEL", "MODEL", out, max_length=0),
        lambda data, out: ann_recall(data, "MODEL", "MODEL", out, max_length=0),
    ],
)
def test_a_length_that_the_command_refuses_is_refused(call: Any, tiny_beir: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="max_length of at least 4"):
        call(tiny_beir, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_range_is_a_list() -> None:
    assert work("DIR", "bm25", weights=range(2)) == ("DIR", "bm25", 50, [0, 1], {})  # type: ignore[arg-type]


def test_a_class_is_no_reporter(tiny_beir: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="progress=True, False, or a function"):
        rankdistill.mine(tiny_beir, tmp_path / "out", progress=Lines)  # type: ignore[arg-type]


def places_of(function: Any) -> list[str]:
    """The arguments of a verb whose annotation takes a path."""
    hints = get_type_hints(function)
    return [name for name, hint in hints.items() if name != "return" and "PathLike" in str(hint)]


VERBS = [name for name in rankdistill.__all__ if hasattr(getattr(rankdistill, name), "__wrapped__")]
STORES = {
    "plan": {"out", "candidates"},
    "score": {"out", "candidates"},
    "embed": {"out"},
    "import_scores": {"out"},
    "status": {"path"},
    "check": {"store", "report", "json"},
    "export": {"store"},
    "train": {"store"},
    "fidelity": {"store"},
    "open": {"path"},
    "artefacts": {"folder"},
    "lineage": {"artefact"},
}
"""What may lie in an object store; tests/cli/test_object_store.py runs it there."""

SERVICES = {"evaluate": {"system"}}
"""What may be the address of a service; tests/evaluation/test_endpoint.py asks one."""


@pytest.mark.parametrize(
    "url", ["s3://bucket/x", Path("s3://bucket/x"), "gs://b/x", Path("hdfs://x/y"), "https://a.b/c", Path("S3://b/x")]
)
@pytest.mark.parametrize("name", VERBS)
def test_a_place_in_an_object_store_is_refused_at_once_wherever_none_will_do(
    name: str, url: str | Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    function = getattr(rankdistill, name)
    parameters = inspect.signature(function).parameters
    required = {
        one: "a" for one, what in parameters.items() if what.default is what.empty and what.kind != what.VAR_KEYWORD
    }
    required |= {"runs": ["a", "b"]} if name == "fuse" else {}
    services = SERVICES.get(name, set()) if str(url).startswith("https:") else set()
    for argument in set(places_of(function)) - STORES.get(name, set()) - services:
        said = []
        for value in (url, [url]):  # some take one, some several
            with pytest.raises(ConfigError) as caught:
                function(**required | {argument: value})
            said.append(str(caught.value))
        assert any(f"a path on this machine as {argument}" in one for one in said), said
    assert not list(tmp_path.iterdir())


def test_there_are_verbs_with_places() -> None:
    assert len(VERBS) > 25
    assert sum(len(places_of(getattr(rankdistill, name))) for name in VERBS) > 60
    assert all(STORES[name] <= set(places_of(getattr(rankdistill, name))) for name in STORES if name in VERBS)


def test_a_file_url_and_a_colon_in_a_path_are_local() -> None:
    assert work("file:///a/b", "bm25")[0] == "file:///a/b"
    assert work(Path("a:/b"), "bm25")[0] == Path("a:/b"), "no protocol has one letter"
    assert work(Path("/a/s3:/b"), "bm25")[0] == Path("/a/s3:/b")
