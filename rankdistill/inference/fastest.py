"""`--backend fast`: the back end that runs a model fastest on this processor, of those that rank as float32 does.

Every back end that could run it scores one sample. Those in less precision than float32 must rank the documents of each
query as float32 does; what is left takes turns at the same texts, and the best time of each counts. What was found is
kept by model, processor and versions, so that the next start measures nothing. What is recorded anywhere is the name of
the back end that was taken, never `fast`: on another machine another one may be.
"""

from __future__ import annotations

import gc
import json
import os
import platform
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np

from rankdistill import files, locations, manifest, plain_json
from rankdistill.errors import OutputError, RankdistillError
from rankdistill.inference.backends import BACKENDS, backend_fingerprint, choose, is_exact
from rankdistill.inference.backends.registry import is_installed
from rankdistill.inference.calibration import Pairs, hash_of
from rankdistill.inference.export_cache import LOCK_WAIT
from rankdistill.inference.fidelity import SamplePair, compare
from rankdistill.locations import cache_folder
from rankdistill.notes import tell

FORMAT = 1
"""Raise it when back ends are compared in another way."""

LEAST = 0.999
"""Spearman correlation with float32, within a query and over all pairs, that a back end must reach to be taken."""

GAIN = 1.1
"""So many times as fast as float32 must one in less precision be: for less, nobody gives up exactness."""

ROUNDS = 3
SECONDS = 0.3
"""What one turn takes, roughly: a sample that takes longer is thinned out."""

HOPELESS = 4.0
"""Times the fastest's first run, compiling included, beyond which a back end gets no turn."""

QUERIES, DOCUMENTS = 12, 12
"""Of the sample: each query with each document. A model of single texts gets `DOCUMENTS_ALONE`, which cost it less."""

DOCUMENTS_ALONE = 32
SENTENCE_TRANSFORMERS = ("torch", "torch-bf16")
"""What sparse and multi-vector encoders run with; their fingerprints tell these two apart by the precision alone."""

LIBRARIES = ("torch", "transformers", "sentence-transformers", "openvino", "onnxruntime", "nncf")


class Runner(Protocol):
    """A model that was opened with a back end."""

    @property
    def backend(self) -> str:
        """What runs it."""
        ...


Model = TypeVar("Model", bound=Runner)


@dataclass(frozen=True)
class Measured:
    """One back end.

    Args:
        backend: its name.
        speed: times as fast as torch in float32; None where it got no turn.
        spearman_per_query: with float32, mean within a query; None where it was not run.
        reason: why it was left out; "" where it was not.
    """

    backend: str
    speed: float | None = None
    spearman_per_query: float | None = None
    reason: str = ""

    @property
    def shown(self) -> str:
        """For people."""
        if self.speed is None or self.reason:
            return f"{self.backend}: {self.reason}"
        return f"{self.backend} {self.speed:.2f}x torch"


@dataclass(frozen=True)
class Choice:
    """The back end to take, and what it was compared with.

    Args:
        backend: its name.
        measured: each candidate.
        kept: whether it was measured earlier.
    """

    backend: str
    measured: Sequence[Measured] = ()
    kept: bool = False

    @property
    def shown(self) -> str:
        """For people."""
        if not self.measured:
            return f"{self.backend}: nothing to choose from"
        when = ", as measured before" if self.kept else ""
        return f"{self.backend}{when} ({'; '.join(one.shown for one in self.measured)})"


def candidates(device: str, *, calibrated: bool = False, names: Iterable[str] = BACKENDS) -> list[str]:
    """The back ends that may be fastest on `device`: those that are installed and for which it has the instructions.

    Args:
        device: a torch device.
        calibrated: whether there are pairs to calibrate with; int8 is no candidate without.
        names: that the model can run with.
    """
    kind = device.partition(":")[0]
    found = []
    for name in names:
        info = BACKENDS[name]
        if kind not in info.devices or not is_installed(name):
            continue
        if info.precision == "int8" and not (info.calibrated and calibrated):
            continue
        if kind != "cpu" or not info.instructions or set(info.instructions) & instructions():
            found.append(name)
    return found


def expected(device: str) -> str:
    """The back end that mostly comes out fastest with the instructions of this processor, before anything is measured.

    With AMX that is bfloat16 in OpenVINO; other processors multiply bfloat16 no faster than float32.
    """
    able = candidates(device)
    if "amx_bf16" in instructions() and "openvino-bf16" in able:
        return "openvino-bf16"
    return choose("auto", device)


def instructions() -> set[str]:
    """The vector and matrix instructions of this processor that torch knows, by torch's names."""
    import torch

    return {name for name, value in torch.cpu.get_capabilities().items() if value is True}


@dataclass(frozen=True)
class Sample:
    """What back ends are compared on: each of some queries with each of some documents.

    Args:
        queries: texts.
        documents: texts.
    """

    queries: Sequence[str]
    documents: Sequence[str]

    @property
    def texts(self) -> list[tuple[str, str]]:
        """Every pair, query after query."""
        return [(query, document) for query in self.queries for document in self.documents]

    @property
    def pairs(self) -> list[SamplePair]:
        """Their ids, in the same order."""
        return [
            SamplePair(str(query), str(document))
            for query in range(len(self.queries))
            for document in range(len(self.documents))
        ]

    def thinned(self, share: float) -> Sample:
        """About `share` of its texts, two queries and four documents at least."""
        return Sample(_spread(self.queries, share, 2), _spread(self.documents, share, 4))


def sample_of(pairs: Pairs, documents: int = DOCUMENTS) -> Sample:
    """Queries and documents out of `pairs`, spread over them; the documents of the chosen queries come first."""
    queries = list(dict.fromkeys(query for query, _ in pairs))
    chosen = _spread(queries, QUERIES / max(1, len(queries)), QUERIES)
    own = [document for query, document in pairs if query in set(chosen)]
    return Sample(chosen, list(dict.fromkeys([*own, *(document for _, document in pairs)]))[:documents])


def choose_fastest(
    names: Sequence[str],
    open_model: Callable[[str], Model],
    scores: Callable[[Model, Sample], np.ndarray],
    sample: Sample,
    identity: Mapping[str, Any],
    *,
    called: str,
    device: str = "cpu",
) -> Choice:
    """The fastest of the back ends `names` that ranks as float32 does: from the cache, or measured now and kept there.

    Args:
        names: candidates; `torch` among them.
        open_model: a back end's name -> the model run by it.
        scores: of the sample's pairs, float[queries x documents], query after query.
        sample: what they are compared on.
        identity: what decides the model's numbers and speed: weights, length, threads; JSON values.
        called: the model, in messages.
        device: a torch device.
    """
    path = _path(names, sample, identity, device)
    if (kept := _read(path, names)) is not None:
        return kept

    choice: Choice | None = None

    def measured() -> Choice:
        tell(f"fast: comparing {', '.join(names)} for {called}, once on this processor")
        found = _measure(names, open_model, scores, sample)
        gc.collect()  # models of sentence-transformers are circles: the weights and threads of each would stay
        tell(f"fast: {called} is run by {found.shown}")
        return found

    try:
        with files.exclusive(path.parent, LOCK_WAIT):  # several workers that start together measure once, undisturbed
            if (kept := _read(path, names)) is not None:
                return kept
            choice = measured()
            files.write_text(path, json.dumps(asdict(choice) | {"called": called}, indent=1) + "\n")
            return choice
    except OutputError as error:
        tell(f"fast: the choice is not kept for the next time: {error.got}")
        return choice or measured()


def kept_choices() -> dict[str, Choice]:
    """Model -> what was chosen for it on this machine with these versions, the latest last."""
    found: dict[str, Choice] = {}
    folder = cache_folder() / "fastest"
    here = f"{_machine('cpu')[:_DIGITS]}-*"
    for path in sorted(locations.listing(folder, f"{here}/{_FILE}"), key=lambda path: path.stat().st_mtime):
        if (choice := _read(path, BACKENDS)) is not None:
            found[str(plain_json.read(path).get("called"))] = choice
    return found


def variants(fingerprint: Mapping[str, Any], calibration: Pairs) -> Iterator[tuple[str, dict[str, Any]]]:
    """The fingerprints that a model of this one has with each back end, with the back ends' names.

    Args:
        fingerprint: of the model with any of them.
        calibration: what a calibrated one would be calibrated with.
    """
    plain = {name: value for name, value in fingerprint.items() if name != "calibration"}
    for name, info in BACKENDS.items():
        yield name, plain | backend_fingerprint(name, calibration)
        if name in SENTENCE_TRANSFORMERS:
            yield name, plain | {"backend": "torch", "dtype": info.precision}


def _measure(
    names: Sequence[str],
    open_model: Callable[[str], Model],
    scores: Callable[[Model, Sample], np.ndarray],
    sample: Sample,
) -> Choice:
    first = open_model("torch")
    if first.backend != "torch":  # a static table, or a model that sentence-transformers itself runs
        return Choice("torch")
    reference, seconds = _timed(lambda: scores(first, sample))
    running: dict[str, Model] = {"torch": first}
    took, found = {"torch": seconds}, {"torch": Measured("torch", spearman_per_query=1.0)}
    for name in names:
        if name == "torch":
            continue
        try:
            model = open_model(name)
            given, took[name] = _timed(lambda model=model: scores(model, sample))  # type: ignore[misc]
        except RankdistillError as error:
            found[name] = Measured(name, reason=f"does not run it ({error.got})")
            continue
        if model.backend != name:
            found[name] = Measured(name, reason="gives other numbers than the model")
            continue
        same = compare(sample.pairs, reference, given)
        if not is_exact(name) and min(same.spearman, same.spearman_per_query) < LEAST:
            found[name] = Measured(name, None, same.spearman_per_query, _unlike(same.spearman_per_query, same.spearman))
        else:
            found[name] = Measured(name, spearman_per_query=same.spearman_per_query)
            running[name] = model
    fastest = min(took[name] for name in running)
    for name in [name for name in running if took[name] > HOPELESS * fastest and name != "torch"]:
        found[name] = Measured(name, None, found[name].spearman_per_query, "many times slower at its first run")
        del running[name]
    best = _race(running, scores, sample.thinned(SECONDS / fastest))
    measured = [
        Measured(name, round(best["torch"] / best[name], 2), one.spearman_per_query) if name in best else one
        for name, one in found.items()
    ]
    return Choice(_winner(best), measured)


def _winner(best: Mapping[str, float]) -> str:
    exact = min((name for name in best if is_exact(name)), key=best.__getitem__)
    other = min((name for name in best if not is_exact(name)), key=best.__getitem__, default=exact)
    return other if best[other] * GAIN <= best[exact] else exact


def _race(
    running: Mapping[str, Model], scores: Callable[[Model, Sample], np.ndarray], sample: Sample
) -> dict[str, float]:
    best: dict[str, float] = {}
    for turn in range(ROUNDS + 1):
        for name, model in running.items():
            _, seconds = _timed(lambda model=model: scores(model, sample))  # type: ignore[misc]
            if turn:  # the first one compiles what is new in the thinned sample
                best[name] = min(seconds, best.get(name, seconds))
    return best


def _timed(run: Callable[[], np.ndarray]) -> tuple[np.ndarray, float]:
    started = time.perf_counter()
    found = run()
    return found, max(time.perf_counter() - started, 1e-9)


def _unlike(within: float, pooled: float) -> str:
    return f"ranks otherwise than float32 (Spearman {within:.5f} within a query, {pooled:.5f} over all pairs)"


def _spread(texts: Sequence[str], share: float, least: int) -> list[str]:
    count = min(len(texts), max(least, round(share * len(texts))))
    return [texts[int(place)] for place in np.linspace(0, len(texts) - 1, count).astype(int)] if count else []


_DIGITS = 12
_FILE = "choice.json"


def _machine(device: str) -> str:
    """Hash of the processor, the cores that may be used, the device, and the libraries' versions."""
    import torch

    processor = {name: str(value) for name, value in torch.cpu.get_capabilities().items()}
    graphics = torch.cuda.get_device_name(device) if device.startswith("cuda") else device
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    versions = manifest.versions_of(*LIBRARIES)
    return manifest.digest([processor, graphics, platform.machine(), cores, versions, FORMAT])


def _path(names: Sequence[str], sample: Sample, identity: Mapping[str, Any], device: str) -> Path:
    import torch

    threads = identity.get("threads") or torch.get_num_threads()
    wanted = [dict(identity) | {"threads": threads}, list(names), hash_of(sample.texts)]
    return cache_folder() / "fastest" / f"{_machine(device)[:_DIGITS]}-{manifest.digest(wanted)[:32]}" / _FILE


def _read(path: Path, names: Iterable[str]) -> Choice | None:
    """A choice that was kept; None where there is none, or it is damaged."""
    try:
        held = plain_json.loads(path.read_text(encoding="utf-8"))
        choice = Choice(held["backend"], tuple(Measured(**one) for one in held["measured"]), kept=True)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return choice if choice.backend in names else None
