"""`SparseTextEncoder`: a sparse encoder (SPLADE and its kin), one weight a term of its vocabulary."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from rankdistill.errors import ConfigError
from rankdistill.inference import rows
from rankdistill.inference.backends import FAST
from rankdistill.inference.calibration import documentation_pairs
from rankdistill.inference.fastest import DOCUMENTS_ALONE, Choice, Sample, candidates, choose_fastest, sample_of
from rankdistill.inference.loading import load_sparse_encoder
from rankdistill.inference.precision import autocast, pick_device, torch_threads
from rankdistill.inference.prompts import prompt_of
from rankdistill.inference.token_weights import TokenWeights, open_token_weights
from rankdistill.manifest import digest
from rankdistill.models import name_of, resolve
from rankdistill.progress import Progress
from rankdistill.space import SparseSpace, read_sparse

if TYPE_CHECKING:
    from scipy.sparse import csr_array

DTYPES: Mapping[str, str] = {"auto": "float32", "torch": "float32", "torch-bf16": "bfloat16"}
"""Back end -> the number format that it computes in."""

ENCODED_AT_ONCE = 2048
"""Texts given to the model together: it sorts them by length."""


class SparseTextEncoder:
    """Encodes texts with sentence-transformers' `SparseEncoder`, whose numbers these are.

    Plain SPLADE models pool before the activation (see `splade_head`); a query side of token weights alone runs without
    the transformer (see `token_weights`). Vectors of a model that declares cosine have unit length, so that every score
    is a dot product.

    Args:
        model: a model reference.
        backend: a name in `DTYPES`, or `fast`: the fastest of them here, see `rankdistill.inference.fastest`.
        max_length: tokens of a text at most, special tokens included; None keeps the model's own.
        device: a torch device; None takes the GPU where there is one.
        threads: that may run it; None takes all of torch's.

    Raises:
        ModelReferenceError: no sparse encoder.
        ConfigError: another back end, or a model that declares a similarity other than dot product and cosine.
    """

    def __init__(
        self,
        model: str,
        backend: str = "auto",
        max_length: int | None = None,
        device: str | None = None,
        threads: int | None = None,
    ) -> None:
        from rankdistill.inference.splade_head import pool_before_activation

        if backend not in {*DTYPES, FAST}:
            raise ConfigError(
                expected=f"a back end that runs sparse encoders: {', '.join(DTYPES)}, {FAST}",
                got=repr(backend),
                consequence="no model was loaded",
                remedy="leave it out, or name one of those",
            )
        self.reference = resolve(model)
        self.device, self.threads = pick_device(device), threads
        self._model = load_sparse_encoder(self.reference, self.device, max_length)
        self.choice = self._fastest(max_length) if backend == FAST else None
        self.backend = backend if self.choice is None else self.choice.backend
        self.dtype = DTYPES[self.backend]
        self._token_weights: TokenWeights | None = open_token_weights(self._model)
        pool_before_activation(self._model)
        self.similarity = str(self._model.similarity_fn_name)
        if self.similarity not in {"dot", "cosine"}:
            raise ConfigError(
                expected="a sparse encoder compared by dot product or cosine",
                got=f"{model} declares {self.similarity!r}",
                consequence="nothing was encoded",
                remedy="set similarity_fn_name in its config_sentence_transformers.json, or choose another model",
            )

    def _fastest(self, max_length: int | None) -> Choice:
        name, device, threads = self.reference.name, self.device, self.threads
        weights = self.reference.weights_hash
        return choose_fastest(
            [one for one in candidates(device) if one in DTYPES],
            lambda backend: SparseTextEncoder(name, backend, max_length, device, threads),
            _sample_scores,
            sample_of(documentation_pairs(), DOCUMENTS_ALONE),
            {"weights": weights, "max_length": self.max_length, "threads": threads, "kind": "sparse"},
            called=name_of(name),
            device=device,
        )

    @cached_property
    def dimension(self) -> int:
        """Terms in the vocabulary; some models declare another number than their vectors have."""
        return int(self._model.encode_document([""], show_progress_bar=False).shape[1])

    @property
    def max_length(self) -> int | None:
        """Tokens of a text at most, special tokens included; None where there is no maximum."""
        found: int | None = self._model.max_seq_length
        return found

    @property
    def inference_free(self) -> bool:
        """Whether queries are encoded from token weights alone."""
        return self._token_weights is not None

    @cached_property
    def vocabulary(self) -> Sequence[str]:
        """The term of each dimension; `[7]` where dimension 7 stands for no token."""
        tokenizer = self._model.tokenizer
        known = len(tokenizer) if len(tokenizer) <= self.dimension else 0
        return [*tokenizer.convert_ids_to_tokens(range(known)), *(f"[{row}]" for row in range(known, self.dimension))]

    @cached_property
    def space(self) -> SparseSpace:
        """The space of the vectors, the same for every back end."""
        return SparseSpace(
            dimension=self.dimension,
            vocabulary=digest(self.vocabulary),
            similarity=self.similarity,
            prompts=dict(self._model.prompts),
            document_tower=self.reference.weights_hash,
            max_length=self.max_length,
        )

    @cached_property
    def query_spaces(self) -> tuple[SparseSpace, ...]:
        """The spaces that its query vectors live in: its own, and that of the documents it was trained against."""
        aligned = read_sparse(self.reference.path)
        return (self.space,) if aligned is None else (self.space, aligned)

    @cached_property
    def fingerprint(self) -> Mapping[str, Any]:
        """Everything that the numbers depend on; JSON values."""
        return {
            "weights": self.reference.weights_hash,
            "prompts": dict(self._model.prompts),
            "default_prompt": self._model.default_prompt_name,
            "max_length": self.max_length,
            "truncation": "longest_first",
            "similarity": self.similarity,
            "dtype": self.dtype,
            "backend": "torch",
        }

    @property
    def tokenizer(self) -> Any:
        """The model's."""
        return self._model.tokenizer

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

    @property
    def is_routed(self) -> bool:
        """Whether queries and documents take different ways through the model."""
        from sentence_transformers.base.modules import Router

        return any(isinstance(module, Router) for module in self._model)

    def encode_queries(
        self, texts: Sequence[str], progress: Progress | None = None, prompt: str | None = None
    ) -> csr_array:
        """Weights of queries, float32[n, vocabulary], with `prompt`; None takes the model's query prompt."""
        if self._token_weights is not None:
            return self._comparable(self._token_weights.encode(texts, prompt))
        return self._encode(partial(self._model.encode_query, prompt=prompt), texts, progress)

    def encode_documents(
        self, texts: Sequence[str], progress: Progress | None = None, prompt: str | None = None
    ) -> csr_array:
        """Weights of documents, float32[n, vocabulary], with `prompt`; None takes the model's document prompt.

        `progress` gets the texts done since its last call.
        """
        return self._encode(partial(self._model.encode_document, prompt=prompt), texts, progress)

    def terms_in(self, text: str) -> set[str]:
        """The tokens that `text` itself consists of."""
        return set(self._model.tokenizer.tokenize(text))

    def _encode(self, encode: Callable[..., Any], texts: Sequence[str], progress: Progress | None) -> csr_array:
        from scipy.sparse import csr_array, vstack

        blocks = [csr_array((0, self.dimension), dtype=np.float32)]
        for start in range(0, len(texts), ENCODED_AT_ONCE):
            block = list(texts[start : start + ENCODED_AT_ONCE])
            with torch_threads(self.threads), autocast(self.device, self.dtype):
                found = encode(block, convert_to_sparse_tensor=True, save_to_cpu=True, show_progress_bar=False)
            rows.require(found, len(block), "sentence-transformers")
            found = found.coalesce()
            blocks.append(
                csr_array((found.values().float().numpy(), found.indices().numpy()), shape=tuple(found.shape))
            )
            if progress is not None:
                progress(len(block))
        return self._comparable(csr_array(vstack(blocks, format="csr")))

    def _comparable(self, vectors: csr_array) -> csr_array:
        from scipy.sparse import csr_array

        vectors.eliminate_zeros()
        if self.similarity == "dot":
            return vectors
        lengths = np.sqrt(vectors.multiply(vectors).sum(axis=1))
        return csr_array(vectors.multiply(1 / np.maximum(lengths, 1e-12)[:, None])).astype(np.float32)


def _sample_scores(encoder: SparseTextEncoder, sample: Sample) -> np.ndarray:
    queries, documents = encoder.encode_queries(sample.queries), encoder.encode_documents(sample.documents)
    return np.asarray((queries @ documents.T).toarray()).ravel()
