"""`PairScorer`: a cross-encoder, scoring pairs fast and exactly, as raw logits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from typing import Any

import numpy as np

from rankdistill.inference import rows
from rankdistill.inference.backends import FAST, backend_fingerprint, is_exact
from rankdistill.inference.calibration import Pairs, documentation_pairs
from rankdistill.inference.fast_model import FastModel, accelerate
from rankdistill.inference.fastest import Choice, candidates, choose_fastest, sample_of
from rankdistill.inference.loading import load_cross_encoder
from rankdistill.inference.precision import pick_device, torch_threads
from rankdistill.inference.prompts import default_prompt
from rankdistill.models import name_of, resolve
from rankdistill.progress import Progress


class PairScorer:
    """Scores (query, document) pairs; the numbers are those of `CrossEncoder.predict` with identity activation.

    The activation that the model's configuration names (a sigmoid, mostly) is never applied.

    Args:
        model: a model reference of a cross-encoder with one output.
        backend: a name in `backends.BACKENDS`; `auto` takes one in float32 that is mostly the fastest, `fast` measures
            which is the fastest here, see `rankdistill.inference.fastest`.
        max_length: tokens of a pair at most, special tokens included; None keeps the model's own.
        device: a torch device; None takes the GPU where there is one.
        calibration: pairs like those to come, for back ends that need them; None takes a stand-in.
        threads: that may run it; None takes all of torch's.

    Raises:
        ModelReferenceError: no cross-encoder, or one with several outputs.
    """

    def __init__(
        self,
        model: str,
        backend: str = "auto",
        max_length: int | None = None,
        device: str | None = None,
        calibration: Pairs | None = None,
        threads: int | None = None,
    ) -> None:
        self._calibration = documentation_pairs() if calibration is None else calibration
        self.reference = resolve(model)
        self._weights = self.reference.weights_hash
        self.device = pick_device(device)
        self._model = load_cross_encoder(self.reference, self.device, max_length)
        prompted = self._model.default_prompt_name is not None
        self.threads = threads
        self.choice: Choice | None = None
        self._fast: FastModel | None = None
        if prompted:
            return
        chosen = backend
        if backend == FAST:
            self.choice = self._fastest(max_length, calibration is not None)
            chosen = self.choice.backend
        self._fast = accelerate(
            self._model, 2, "scores", chosen, self.device, self._weights, self._calibration, threads
        )

    def _fastest(self, max_length: int | None, calibrated: bool) -> Choice:
        name, device, threads = self.reference.name, self.device, self.threads
        identity = {"weights": self._weights, "max_length": self.max_length, "threads": threads, "kind": "pairs"}
        return choose_fastest(
            candidates(device, calibrated=calibrated),
            lambda backend: PairScorer(name, backend, max_length, device, self._calibration, threads),
            lambda scorer, sample: scorer.score(sample.texts),
            sample_of(self._calibration),
            identity,
            called=name_of(name),
            device=device,
        )

    @property
    def backend(self) -> str:
        """What runs the model: a back end's name, or `sentence-transformers` where it is not accelerated."""
        return self._fast.backend_name if self._fast is not None else "sentence-transformers"

    @property
    def model(self) -> Any:
        """The loaded `CrossEncoder`."""
        return self._model

    @property
    def accelerated(self) -> FastModel | None:
        """What runs the model; None where sentence-transformers itself does."""
        return self._fast

    @property
    def max_length(self) -> int | None:
        """Tokens of a pair at most, special tokens included."""
        return self._model.max_seq_length

    @cached_property
    def fingerprint(self) -> Mapping[str, Any]:
        """Everything that the scores depend on; JSON values."""
        return {
            "weights": self._weights,
            "prompt": default_prompt(self._model),
            "max_length": self.max_length,
            "truncation": "longest_first",
            "activation": "identity",
        } | backend_fingerprint(self.backend, self._calibration)

    def exact(self) -> Callable[[], PairScorer] | None:
        """Loads the same model in float32 by torch, on the same device; None where this one computes in float32."""
        if is_exact(self.backend):
            return None
        return partial(PairScorer, self.reference.name, "torch", self.max_length, self.device, None, self.threads)

    def score(self, pairs: Sequence[tuple[str, str]], progress: Progress | None = None) -> np.ndarray:
        """Raw logits, float32[n], in the order of `pairs`; `progress` is called with the number of pairs done."""
        if not len(pairs):
            return np.empty(0, dtype=np.float32)
        if self._fast is not None:
            found = self._fast.run([[query for query, _ in pairs], [document for _, document in pairs]], progress)
            if found is not None:
                return found[:, 0]
        return self._score_slowly(pairs, progress)

    def _score_slowly(self, pairs: Sequence[tuple[str, str]], progress: Progress | None) -> np.ndarray:
        import torch

        with torch_threads(self.threads):
            scores = self._model.predict(
                [tuple(pair) for pair in pairs], activation_fn=torch.nn.Identity(), show_progress_bar=False
            )
        rows.require(scores, len(pairs), "sentence-transformers")
        if progress is not None:
            progress(len(pairs))
        return np.asarray(scores, dtype=np.float32)
