"""The choice of the fastest back end that ranks as float32 does; the clock is the test's own."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rankdistill.errors import BackendError, ConfigError
from rankdistill.inference import PairScorer, TextEncoder, fastest
from rankdistill.inference.backends import BACKENDS, registry
from rankdistill.inference.fastest import Choice, Sample, candidates, choose_fastest, sample_of
from rankdistill.inference.multi_vector_encoder import MultiVectorTextEncoder
from rankdistill.inference.sparse_encoder import SparseTextEncoder

SAMPLE = Sample([f"query {number}" for number in range(6)], [f"document {number}" for number in range(8)])
ALL = ("torch", "torch-bf16", "onnx", "openvino", "openvino-bf16")
EXACT = np.random.default_rng(3).normal(size=48)


@dataclass
class Clock:
    """Time that passes only when somebody lets it."""

    now: float = 0.0

    def perf_counter(self) -> float:
        return self.now


@dataclass
class Fake:
    """A model that takes so many seconds for the whole sample, and gives scores `noise` away from the exact ones."""

    backend: str
    seconds: float
    noise: float
    clock: Clock

    def scores(self, sample: Sample) -> np.ndarray:
        self.clock.now += self.seconds * len(sample.texts) / len(SAMPLE.texts)
        wrong = np.random.default_rng(5).normal(size=len(EXACT)) * self.noise
        return (EXACT + wrong)[: len(sample.texts)]


@dataclass
class Machine:
    """Opens fakes and remembers which."""

    seconds: dict[str, float]
    noise: dict[str, float] = field(default_factory=dict)
    broken: Sequence[str] = ()
    renamed: dict[str, str] = field(default_factory=dict)
    opened: list[str] = field(default_factory=list)
    clock: Clock = field(default_factory=Clock)

    def open(self, name: str) -> Fake:
        self.opened.append(name)
        if name in self.broken:
            raise BackendError(expected="a graph", got="none", consequence="nothing", remedy="another")
        return Fake(self.renamed.get(name, name), self.seconds[name], self.noise.get(name, 0.0), self.clock)

    def choose(self, **identity: Any) -> Choice:
        names = list(self.seconds)
        wanted = {"weights": "w", **identity}
        return choose_fastest(names, self.open, lambda model, sample: model.scores(sample), SAMPLE, wanted, called="m")


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Machine]:
    monkeypatch.setenv("RANKDISTILL_CACHE", str(tmp_path))

    def make(seconds: dict[str, float], **settings: Any) -> Machine:
        made = Machine(seconds, **settings)
        monkeypatch.setattr(fastest, "time", made.clock)
        return made

    return make


def test_the_fastest_that_ranks_as_float32_does_is_taken(machine: Callable[..., Machine]) -> None:
    seconds = {"torch": 4.0, "openvino": 2.0, "openvino-bf16": 1.0, "openvino-int8": 0.5}
    found = machine(seconds, noise={"openvino-int8": 0.3, "openvino-bf16": 1e-4}).choose()
    assert found.backend == "openvino-bf16"
    by_name = {one.backend: one for one in found.measured}
    assert [by_name[name].speed for name in seconds] == [1.0, 2.0, 4.0, None]
    assert "ranks otherwise" in by_name["openvino-int8"].reason
    assert "openvino-bf16 4.00x torch" in found.shown


def test_a_small_gain_is_not_worth_less_precision(machine: Callable[..., Machine]) -> None:
    assert machine({"torch": 2.0, "onnx": 1.0, "torch-bf16": 0.95}).choose().backend == "onnx"
    assert machine({"torch": 2.0, "onnx": 1.0, "torch-bf16": 0.85}).choose(length=2).backend == "torch-bf16"


def test_what_does_not_run_or_gives_other_numbers_is_left_out(machine: Callable[..., Machine]) -> None:
    made = machine({"torch": 2.0, "onnx": 1.0, "openvino": 0.5}, broken=["onnx"], renamed={"openvino": "torch"})
    found = made.choose()
    assert found.backend == "torch"
    assert ["does not run" in one.reason or "other numbers" in one.reason for one in found.measured] == [
        False,
        True,
        True,
    ]


def test_what_was_compared_does_not_stay(machine: Callable[..., Machine]) -> None:
    """A model of sentence-transformers is a circle, with weights that a server would carry along beside its own."""
    made = machine({"torch": 2.0, "openvino": 1.0, "onnx": 4.0})
    opened: list[weakref.ref[Fake]] = []

    def of_a_circle(name: str) -> Fake:
        model = Fake(name, made.seconds[name], 0.0, made.clock)
        vars(model)["itself"] = model
        opened.append(weakref.ref(model))
        return model

    made.open = of_a_circle  # type: ignore[method-assign]
    gc.disable()
    try:
        assert made.choose().backend == "openvino"
        assert [one() for one in opened] == [None, None, None]
    finally:
        gc.enable()


def test_a_model_that_no_back_end_runs_is_not_measured(machine: Callable[..., Machine]) -> None:
    made = machine({"torch": 2.0, "onnx": 1.0}, renamed={"torch": "sentence-transformers"})
    assert (made.choose().backend, made.opened) == ("torch", ["torch"])


def test_what_was_found_is_kept_until_something_changes(
    machine: Callable[..., Machine], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = machine({"torch": 2.0, "onnx": 1.0})
    first = made.choose()
    again = made.choose()
    assert (first.kept, again.kept, again.backend, again.measured) == (False, True, "onnx", tuple(first.measured))
    assert made.opened == ["torch", "onnx"]
    for changed in ({"weights": "other"}, {"threads": 3}, {"max_length": 9}):
        assert not made.choose(**changed).kept
    monkeypatch.setattr("torch.cpu.get_capabilities", lambda: {"cpu_name": "another", "amx_bf16": True})
    assert not made.choose().kept
    assert [choice.backend for choice in fastest.kept_choices().values()] == ["onnx"]


def test_a_damaged_note_is_measured_anew(machine: Callable[..., Machine], tmp_path: Path) -> None:
    made = machine({"torch": 2.0, "onnx": 1.0})
    made.choose()
    (path,) = (tmp_path / "fastest").glob("*/choice.json")
    for content in ("{", "[]", '{"backend": "onnx"}', '{"backend": "gone", "measured": []}'):
        path.write_text(content)
        assert not made.choose().kept


def test_workers_that_start_together_measure_once(machine: Callable[..., Machine]) -> None:
    from concurrent.futures import ThreadPoolExecutor

    made = machine({"torch": 2.0, "onnx": 1.0})
    with ThreadPoolExecutor(4) as several:
        found = list(several.map(lambda number: made.choose(), range(4)))
    assert [one.backend for one in found] == ["onnx"] * 4
    assert made.opened == ["torch", "onnx"]


def test_a_cache_that_cannot_be_written_to_costs_a_measure(
    machine: Callable[..., Machine], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made = machine({"torch": 2.0, "onnx": 1.0})
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("RANKDISTILL_CACHE", str(tmp_path / "file"))
    assert [made.choose().kept, made.choose().kept] == [False, False]


def test_candidates_are_those_that_the_processor_has_instructions_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cpu.get_capabilities", lambda: {"cpu_name": "old", "avx2": True, "amx_bf16": False})
    assert candidates("cpu", calibrated=True) == ["torch", "onnx", "openvino"]
    monkeypatch.setattr("torch.cpu.get_capabilities", lambda: {"amx_bf16": True, "amx_int8": True})
    assert candidates("cpu") == list(ALL)
    assert candidates("cpu", calibrated=True) == [*ALL, "openvino-int8"]
    assert candidates("cuda") == ["torch", "torch-bf16", "torch-fp16"]
    monkeypatch.setattr(registry, "find_spec", lambda library: None)
    assert candidates("cpu") == ["torch", "torch-bf16"]


def test_the_sample_holds_the_documents_of_its_queries() -> None:
    pairs = [(f"q{number // 2}", f"d{number}") for number in range(100)]
    sample = sample_of(pairs, 12)
    assert (len(sample.queries), len(sample.documents)) == (12, 12)
    held = {query: [document for other, document in pairs if other == query] for query in sample.queries}
    assert all(set(held[query]) <= set(sample.documents) for query in sample.queries[:6])
    assert [len(part) for part in (sample.thinned(0.01).queries, sample.thinned(0.01).documents)] == [2, 4]
    assert sample_of(pairs[:1]).texts == [("q0", "d0")]


@pytest.mark.parametrize("kind", ["encoder", "pairs", "sparse", "multi_vector"])
def test_every_kind_of_model_says_what_it_took(kind: str, request: pytest.FixtureRequest, few: None) -> None:
    opened: Any = {
        "encoder": lambda: TextEncoder(request.getfixturevalue("tiny_encoder"), "fast", device="cpu"),
        "pairs": lambda: PairScorer(request.getfixturevalue("tiny_cross_encoder"), "fast", device="cpu"),
        "sparse": lambda: SparseTextEncoder(request.getfixturevalue("tiny_splade"), "fast", device="cpu"),
        "multi_vector": lambda: MultiVectorTextEncoder(
            request.getfixturevalue("tiny_multi_vector"), "fast", device="cpu"
        ),
    }[kind]()
    assert opened.backend in BACKENDS
    assert opened.choice.backend == opened.backend
    assert opened.fingerprint["backend"] in {opened.backend, "torch"}
    assert {one.backend for one in opened.choice.measured} <= {"torch", "torch-bf16", "openvino", "openvino-bf16"}
    assert "fast" not in str(opened.fingerprint)


def test_a_static_model_has_nothing_to_choose_from(static_student: Path) -> None:
    encoder = TextEncoder(str(static_student), "fast")
    assert (encoder.backend, encoder.choice) == ("static", None)


def test_fast_is_refused_where_it_is_misspelt() -> None:
    with pytest.raises(ConfigError, match="fast"):
        registry.choose("fastest", "cpu")


@pytest.mark.parametrize("backend", ["torch", "onnx", "openvino"])
def test_threads_are_the_back_ends_own(backend: str, tiny_encoder: str) -> None:
    import torch

    before = torch.get_num_threads()
    found = TextEncoder(tiny_encoder, backend, device="cpu", threads=2)
    inner: Any = found._fast
    told = {
        "torch": lambda: inner.backend.threads,
        "onnx": lambda: inner.backend.session.get_session_options().intra_op_num_threads,
        "openvino": lambda: inner.backend.request.get_compiled_model().get_property("INFERENCE_NUM_THREADS"),
    }[backend]()
    assert told == 2
    alone = TextEncoder(tiny_encoder, backend, device="cpu", threads=1)
    np.testing.assert_allclose(found.encode(["a deep river"]), alone.encode(["a deep river"]), atol=1e-6)
    assert torch.get_num_threads() == before


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer candidates and shorter turns: exporting takes seconds each."""
    monkeypatch.setattr(fastest, "SECONDS", 0.01)
    monkeypatch.setattr(fastest, "ROUNDS", 1)
    monkeypatch.setattr(registry, "find_spec", lambda library: library if library == "openvino" else None)


def test_a_length_that_is_the_models_own_is_no_other_choice(
    tiny_encoder: str, few: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Documents are encoded at the model's own length, queries at the one that the index tells."""
    monkeypatch.setenv("RANKDISTILL_CACHE", str(tmp_path))
    monkeypatch.setattr(registry, "find_spec", lambda library: None)
    first = TextEncoder(tiny_encoder, "fast", device="cpu")
    again = TextEncoder(tiny_encoder, "fast", max_length=64, device="cpu")
    assert first.choice is not None
    assert again.choice is not None
    assert (first.choice.kept, again.choice.kept) == (False, True)
