"""`TextEncoder`: a dense sentence-transformers model, encoding fast and exactly."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from typing import Any

import numpy as np

from rankdistill import space
from rankdistill.errors import ConfigError
from rankdistill.inference import rows
from rankdistill.inference.backends import FAST, backend_fingerprint, is_exact
from rankdistill.inference.calibration import Pairs, documentation_pairs
from rankdistill.inference.fast_model import FastModel, accelerate
from rankdistill.inference.fastest import DOCUMENTS_ALONE, Choice, Sample, candidates, choose_fastest, sample_of
from rankdistill.inference.loading import load_encoder, max_length_of
from rankdistill.inference.precision import pick_device, torch_threads
from rankdistill.inference.prompts import default_prompt, prompt_of
from rankdistill.inference.static_model import StaticModel, accelerate_static
from rankdistill.inference.truncation import is_cut
from rankdistill.models import name_of, resolve
from rankdistill.progress import Progress
from rankdistill.space import Space


class TextEncoder:
    """Encodes texts with a dense model; the numbers are those of `SentenceTransformer.encode`.

    A static model is run as the table that it is, whatever the back end. Models that cannot be accelerated (routed,
    custom) are run by sentence-transformers itself.

    Args:
        model: a model reference.
        backend: a name in `backends.BACKENDS`; `auto` takes one in float32 that is mostly the fastest, `fast` measures
            which is the fastest here, see `rankdistill.inference.fastest`.
        max_length: tokens of a text at most, special tokens included; None keeps the model's own.
        device: a torch device; None takes the GPU where there is one.
        calibration: pairs like those to come, for back ends that need them; None takes a stand-in.
        threads: that may run it; None takes all of torch's.
        weights: what its weights are known by, for a copy whose files differ in what they tell alone; None: their hash.
    """

    def __init__(
        self,
        model: str,
        backend: str = "auto",
        max_length: int | None = None,
        device: str | None = None,
        calibration: Pairs | None = None,
        threads: int | None = None,
        weights: str | None = None,
    ) -> None:
        self._calibration = documentation_pairs() if calibration is None else calibration
        self.reference = resolve(model)
        self._weights = weights or self.reference.weights_hash
        self.device = pick_device(device)
        self._model = load_encoder(self.reference, self.device, max_length)
        self.threads = threads
        self.choice: Choice | None = None
        self._fast: StaticModel | FastModel | None = accelerate_static(self._model, backend, self.device)
        if self._fast is not None:
            return
        chosen = backend
        if backend == FAST:
            self.choice = self._fastest(max_length, calibration is not None)
            chosen = self.choice.backend
        self._fast = accelerate(
            self._model, 1, "sentence_embedding", chosen, self.device, self._weights, self._calibration, threads
        )

    def _fastest(self, max_length: int | None, calibrated: bool) -> Choice:
        name, device, threads = self.reference.name, self.device, self.threads
        identity = {"weights": self._weights, "max_length": self.max_length, "threads": threads, "kind": "encoder"}
        return choose_fastest(
            candidates(device, calibrated=calibrated),
            lambda backend: TextEncoder(name, backend, max_length, device, self._calibration, threads, self._weights),
            _sample_scores,
            sample_of(self._calibration, DOCUMENTS_ALONE),
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
        """The loaded `SentenceTransformer`."""
        return self._model

    @property
    def accelerated(self) -> FastModel | StaticModel | None:
        """What runs the model; None where sentence-transformers itself does."""
        return self._fast

    @property
    def pools_without_prompt(self) -> bool:
        """Whether the prompt's own tokens are left out of a text's vector."""
        return self._pools_without_prompt

    @property
    def max_length(self) -> int | None:
        """Tokens of a text at most, special tokens included; None where there is no maximum."""
        return max_length_of(self._model)

    @property
    def dimension(self) -> int:
        """Length of an embedding."""
        return int(self._model.get_embedding_dimension())

    @property
    def similarity(self) -> str:
        """`cosine` or `dot`.

        Raises:
            ConfigError: the model declares another one, which no index here searches.
        """
        declared = self._model.similarity_fn_name
        if declared not in {"cosine", "dot"}:
            raise ConfigError(
                expected="a model compared by cosine or dot product",
                got=f"{self.reference.name} declares {declared!r}",
                consequence="nothing was encoded",
                remedy="choose another model, or set similarity_fn_name in its config_sentence_transformers.json",
            )
        return declared

    @cached_property
    def space(self) -> Space:
        """The embedding space, the same for every back end."""
        from sentence_transformers.sentence_transformer.modules import Normalize

        return Space(
            dimension=self.dimension,
            normalised=isinstance(self._model[-1], Normalize),
            similarity=self.similarity,
            prompts=dict(self._model.prompts),
            document_tower=self._weights,
            max_length=self.max_length,
        )

    @cached_property
    def query_spaces(self) -> tuple[Space, ...]:
        """The spaces that its query vectors live in: its own, then that of the document tower it was aligned with.

        Raises:
            SpaceMismatchError: the `space.json` beside the model was edited.
        """
        aligned = space.read(self.reference.path)
        return (self.space,) if aligned is None else (self.space, aligned)

    @cached_property
    def fingerprint(self) -> Mapping[str, Any]:
        """Everything that the numbers depend on; JSON values."""
        return {
            "weights": self._weights,
            "max_length": self.max_length,
            "truncation": "longest_first",
            "prompts": dict(self._model.prompts),
            "default_prompt": self._model.default_prompt_name,
        } | backend_fingerprint(self.backend, self._calibration)

    def exact(self) -> Callable[[], TextEncoder] | None:
        """Loads the same model in float32 by torch, on the same device; None where this one computes in float32."""
        if is_exact(self.backend):
            return None
        return partial(
            TextEncoder, self.reference.name, "torch", self.max_length, self.device, None, self.threads, self._weights
        )

    def encode(self, texts: Sequence[str], prompt: str | None = None, progress: Progress | None = None) -> np.ndarray:
        """Embeddings, float32[n, dimension], in the order of `texts`.

        Args:
            texts: any number of texts.
            prompt: put before each text; None takes the model's default prompt, "" none.
            progress: called with the number of texts done since the last call.
        """
        if prompt is None:
            prompt = default_prompt(self._model)
        return self._encode(texts, prompt, progress, self._model.encode)

    def encode_queries(
        self, texts: Sequence[str], progress: Progress | None = None, prompt: str | None = None
    ) -> np.ndarray:
        """Embeddings of queries, float32[n, dimension], with `prompt`; None takes `query_prompt`."""
        return self._encode(texts, self.query_prompt if prompt is None else prompt, progress, self._model.encode_query)

    def encode_documents(
        self, texts: Sequence[str], progress: Progress | None = None, prompt: str | None = None
    ) -> np.ndarray:
        """Embeddings of documents, float32[n, dimension], with `prompt`; None takes `document_prompt`."""
        chosen = self.document_prompt if prompt is None else prompt
        return self._encode(texts, chosen, progress, self._model.encode_document)

    @property
    def prompts(self) -> Mapping[str, str]:
        """The prompts that the model carries, by name."""
        return dict(self._model.prompts)

    @property
    def query_prompt(self) -> str:
        """What the model has before each query; see `prompts.prompt_of`."""
        return prompt_of(self._model, "query")

    @property
    def document_prompt(self) -> str:
        """What the model has before each document; see `prompts.prompt_of`."""
        return prompt_of(self._model, "document")

    def is_cut(self, texts: Sequence[str], prompt: str = "") -> np.ndarray:
        """bool[n]: whether the model reads only the beginning of a text, which has more tokens than `max_length`."""
        return is_cut(self._model, texts, prompt)

    def _encode(self, texts: Sequence[str], prompt: str, progress: Progress | None, original: Any) -> np.ndarray:
        if not len(texts):
            return np.empty((0, self.dimension), dtype=np.float32)
        if self._fast is not None and not (prompt and self._pools_without_prompt):
            found = self._fast.run([[prompt + text for text in texts] if prompt else texts], progress)
            if found is not None:
                return found[:, : self._model.truncate_dim]
        with torch_threads(self.threads):
            embeddings = original(list(texts), prompt=prompt, convert_to_numpy=True, show_progress_bar=False)
        rows.require(embeddings, len(texts), "sentence-transformers")
        if progress is not None:
            progress(len(texts))
        return embeddings.astype(np.float32, copy=False)

    @cached_property
    def _pools_without_prompt(self) -> bool:
        from sentence_transformers.sentence_transformer.modules import Pooling

        return any(isinstance(module, Pooling) and not module.include_prompt for module in self._model)


def _sample_scores(encoder: TextEncoder, sample: Sample) -> np.ndarray:
    return (encoder.encode_queries(sample.queries) @ encoder.encode_documents(sample.documents).T).ravel()
