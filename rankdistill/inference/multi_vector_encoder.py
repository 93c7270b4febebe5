"""`MultiVectorTextEncoder`: a late-interaction encoder (ColBERT and its kin), one vector a token."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from typing import Any

import numpy as np

from rankdistill.errors import ConfigError
from rankdistill.inference import rows
from rankdistill.inference.backends import FAST
from rankdistill.inference.calibration import documentation_pairs
from rankdistill.inference.fastest import DOCUMENTS_ALONE, Choice, Sample, candidates, choose_fastest, sample_of
from rankdistill.inference.loading import load_multi_vector_encoder
from rankdistill.inference.precision import autocast, pick_device, torch_threads
from rankdistill.inference.prompts import prompt_of
from rankdistill.inference.token_vectors import TokenVectors, joined, of_texts
from rankdistill.models import name_of, resolve
from rankdistill.progress import Progress
from rankdistill.space import MultiVectorSpace

DTYPES: Mapping[str, str] = {"auto": "float32", "torch": "float32", "torch-bf16": "bfloat16"}
"""Back end -> the number format that it computes in."""

ENCODED_AT_ONCE = 512
"""Texts given to the model together: it sorts them by length."""


class MultiVectorTextEncoder:
    """Encodes texts with sentence-transformers' `MultiVectorEncoder`, whose numbers these are.

    Args:
        model: a model reference.
        backend: a name in `DTYPES`, or `fast`: the fastest of them here, see `rankdistill.inference.fastest`.
        max_length: tokens of a document at most, special tokens included; None keeps the model's own. Queries keep
            their own length where the model declares one.
        device: a torch device; None takes the GPU where there is one.
        threads: that may run it; None takes all of torch's.

    Raises:
        ModelReferenceError: no multi-vector encoder.
        ConfigError: another back end.
    """

    def __init__(
        self,
        model: str,
        backend: str = "auto",
        max_length: int | None = None,
        device: str | None = None,
        threads: int | None = None,
    ) -> None:
        if backend not in {*DTYPES, FAST}:
            raise ConfigError(
                expected=f"a back end that runs multi-vector encoders: {', '.join(DTYPES)}, {FAST}",
                got=repr(backend),
                consequence="no model was loaded",
                remedy="leave it out, or name one of those",
            )
        self.reference = resolve(model)
        self.device, self.threads = pick_device(device), threads
        self._model = load_multi_vector_encoder(self.reference, self.device, max_length)
        self.choice = self._fastest(max_length) if backend == FAST else None
        self.backend = backend if self.choice is None else self.choice.backend
        self.dtype = DTYPES[self.backend]

    def _fastest(self, max_length: int | None) -> Choice:
        name, device, threads = self.reference.name, self.device, self.threads
        weights = self.reference.weights_hash
        return choose_fastest(
            [one for one in candidates(device) if one in DTYPES],
            lambda backend: MultiVectorTextEncoder(name, backend, max_length, device, threads),
            _sample_scores,
            sample_of(documentation_pairs(), DOCUMENTS_ALONE),
            {"weights": weights, "max_length": self.space.max_length, "threads": threads, "kind": "multi_vector"},
            called=name_of(name),
            device=device,
        )

    @property
    def similarity(self) -> str:
        """`maxsim`, or `meanmaxsim`: divided by the number of query tokens."""
        return str(self._model.similarity_fn_name)

    @property
    def is_normalised(self) -> bool:
        """Whether token vectors have unit length."""
        from sentence_transformers.base.modules import Normalize

        return any(isinstance(module, Normalize) for module in self._model)

    @cached_property
    def dimension(self) -> int:
        """Length of a token's vector."""
        return int(self._model.get_embedding_dimension())

    @cached_property
    def space(self) -> MultiVectorSpace:
        """The space of the vectors, the same for every back end."""
        return MultiVectorSpace(
            dimension=self.dimension,
            similarity=self.similarity,
            prompts=dict(self._model.prompts),
            document_tower=self.reference.weights_hash,
            max_length=self._document_length or self._model.max_seq_length,
        )

    @property
    def query_spaces(self) -> tuple[MultiVectorSpace, ...]:
        """The spaces that query vectors live in: the model's own."""
        return (self.space,)

    @cached_property
    def fingerprint(self) -> Mapping[str, Any]:
        """Everything that the numbers depend on; JSON values."""
        return {
            "weights": self.reference.weights_hash,
            "prompts": dict(self._model.prompts),
            "default_prompt": self._model.default_prompt_name,
            "max_length": self._model.max_seq_length,
            "document_length": self._document_length,
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
    def query_length(self) -> int | None:
        """Tokens of a query at most, special tokens included; None where there is no maximum."""
        return self._length_of("query_length")

    @property
    def document_length(self) -> int | None:
        """Tokens of a document at most, special tokens included; None where there is no maximum."""
        return self._length_of("document_length")

    def encode_queries(
        self, texts: Sequence[str], progress: Progress | None = None, prompt: str | None = None
    ) -> TokenVectors:
        """Token vectors of queries, with the model's query length, and `prompt`; None takes its query prompt."""
        return self._encode(partial(self.query_tensors, prompt=prompt), texts, progress)

    def encode_documents(
        self, texts: Sequence[str], progress: Progress | None = None, prompt: str | None = None
    ) -> TokenVectors:
        """Token vectors of documents, with `prompt`; None takes the model's document prompt.

        `progress` is called with the number of texts done since its last call.
        """
        return self._encode(partial(self.document_tensors, prompt=prompt), texts, progress)

    def query_tensors(self, texts: Sequence[str], prompt: str | None = None) -> list[Any]:
        """A tensor [tokens, dimension] for each query, on the model's device."""
        return self._tensors(partial(self._model.encode_query, prompt=prompt), texts)

    def document_tensors(self, texts: Sequence[str], prompt: str | None = None) -> list[Any]:
        """A tensor [tokens, dimension] for each document, on the model's device."""
        return self._tensors(partial(self._model.encode_document, prompt=prompt), texts)

    def similarity_pairwise(self, queries: list[Any], documents: list[Any]) -> Any:
        """The score of each query with the document at its place, float32 tensor [n]; both must have tokens."""
        import torch

        with torch.inference_mode():
            return self._model.similarity_pairwise(queries, documents).float()

    def _tensors(self, encode: Callable[..., list[Any]], texts: Sequence[str]) -> list[Any]:
        with torch_threads(self.threads), autocast(self.device, self.dtype):
            found = encode(list(texts), show_progress_bar=False)
        rows.require(found, len(texts), "sentence-transformers")
        return found

    def _encode(
        self, encode: Callable[[Sequence[str]], list[Any]], texts: Sequence[str], progress: Progress | None
    ) -> TokenVectors:
        blocks = [of_texts([], self.dimension)]
        for start in range(0, len(texts), ENCODED_AT_ONCE):
            block = texts[start : start + ENCODED_AT_ONCE]
            blocks.append(of_texts([one.float().cpu().numpy() for one in encode(block)], self.dimension))
            if progress is not None:
                progress(len(block))
        return joined(blocks)

    def _length_of(self, name: str) -> int | None:
        """A length that the transformer may have for one kind of text; else that of all."""
        from sentence_transformers.base.modules import Transformer

        own = getattr(self._model[0], name) if isinstance(self._model[0], Transformer) else None
        found: int | None = self._model.max_seq_length if own is None else own
        return found

    @property
    def _document_length(self) -> int | None:
        from sentence_transformers.base.modules import Transformer

        return self._model[0].document_length if isinstance(self._model[0], Transformer) else None


def _sample_scores(encoder: MultiVectorTextEncoder, sample: Sample) -> np.ndarray:
    queries, documents = encoder.query_tensors(sample.queries), encoder.document_tensors(sample.documents)
    left = [query for query in queries for _ in documents]
    return np.asarray(encoder.similarity_pairwise(left, documents * len(queries)).cpu().numpy())
