"""`CausalLM`: a causal language model read at its last token, or asked to go on."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from rankdistill.inference.batching import by_token_budget
from rankdistill.inference.loading import load_causal_lm
from rankdistill.inference.precision import pick_device
from rankdistill.inference.rows import require
from rankdistill.models import resolve
from rankdistill.progress import Progress

if TYPE_CHECKING:
    import torch

CPU_BUDGET, GPU_BUDGET = 4096, 65536
"""Padded tokens of a batch."""

_UNLIMITED = 10**9
"""Tokenisers say "no limit" with a number far above this."""


class CausalLM:
    """A transformers language model in torch.

    Args:
        model: a model reference.
        dtype: of the weights and of the computation, `float32` or `bfloat16`.
        device: a torch device; None takes the GPU where there is one.
        max_length: tokens that are to be read at most, to be checked; the caller cuts.

    Raises:
        ModelReferenceError: no causal language model.
        ConfigError: `max_length` is beyond the model's table of positions.
    """

    def __init__(
        self, model: str, dtype: str = "float32", device: str | None = None, max_length: int | None = None
    ) -> None:
        from rankdistill.inference import positions

        self.reference, self.dtype, self.device = resolve(model), dtype, pick_device(device)
        self._model, self.tokenizer = load_causal_lm(self.reference, self.device, dtype)
        self._takes = set(inspect.signature(self._model.forward).parameters)
        self._positions = positions.positions_of(self._model)
        positions.require(self._positions, {"max_length": max_length}, self.reference.name)

    @property
    def context(self) -> int:
        """Tokens that the model can read at most: what its table of positions, its configuration and tokeniser say."""
        declared = getattr(self._model.config.get_text_config(), "max_position_embeddings", None)
        limits = (self.tokenizer.model_max_length, declared, self._positions)
        return min(limit or _UNLIMITED for limit in (*limits, _UNLIMITED))

    @property
    def start(self) -> list[int]:
        """The token that the tokeniser puts before every text, if it has one."""
        first = self.tokenizer("a")["input_ids"][:1]
        return first if first == [self.tokenizer.bos_token_id] else []

    def tokenise(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text, nothing added and nothing cut; special tokens written in a text count as such."""
        return self.tokenizer(list(texts), add_special_tokens=False, truncation=False, verbose=False)["input_ids"]

    def next_token_logits(
        self,
        rows: Sequence[Sequence[int]],
        tokens: Sequence[int],
        token_budget: int | None = None,
        progress: Progress | None = None,
    ) -> np.ndarray:
        """Logits of `tokens` as the next one after each row, float32[len(rows), len(tokens)].

        Args:
            rows: token ids, none empty.
            tokens: ids in the vocabulary.
            token_budget: padded tokens of a batch at most; None takes what suits the device.
            progress: called with the number of rows done since the last call.
        """
        import torch

        lengths = np.array([len(row) for row in rows], dtype=np.int64)
        budget = token_budget or (CPU_BUDGET if self.device == "cpu" else GPU_BUDGET)
        logits = np.empty((len(rows), len(tokens)), dtype=np.float32)
        for batch in by_token_budget(lengths, budget):
            with torch.inference_mode():
                found = self._model(**self._padded([rows[number] for number in batch])).logits[:, -1]
            require(found, len(batch), "torch")
            logits[batch] = found[:, list(tokens)].float().cpu().numpy()
            if progress is not None:
                progress(len(batch))
        return logits

    def generate(self, rows: Sequence[Sequence[int]], most: int) -> list[str]:
        """What the model writes after each row, greedily, `most` tokens at most; special tokens are left out.

        Sampling settings that the model's folder suggests are not used.
        """
        import torch

        features = self._padded(rows)
        asked = {name: features[name] for name in ("input_ids", "attention_mask")}
        with torch.inference_mode():
            written = self._model.generate(
                **asked,
                max_new_tokens=most,
                do_sample=False,
                num_beams=1,
                temperature=None,
                top_p=None,
                top_k=None,
                pad_token_id=self._pad,
            )
        return self.tokenizer.batch_decode(written[:, asked["input_ids"].shape[1] :], skip_special_tokens=True)

    @property
    def _pad(self) -> int:
        return int(self.tokenizer.pad_token_id or 0)

    def _padded(self, rows: Sequence[Sequence[int]]) -> dict[str, torch.Tensor | Any]:
        """Inputs padded on the left, so that each row's last token is in the last place; positions count real tokens.

        Without positions, a model with learned ones (GPT-2) would see each row shifted by its padding.
        """
        import torch

        longest = max(len(row) for row in rows)
        ids = torch.full((len(rows), longest), self._pad)
        mask = torch.zeros((len(rows), longest), dtype=torch.long)
        for place, row in enumerate(rows):
            ids[place, longest - len(row) :] = torch.tensor(row)
            mask[place, longest - len(row) :] = 1
        positions = (mask.cumsum(1) - 1).clamp(min=0)
        found = {"input_ids": ids, "attention_mask": mask, "position_ids": positions}
        features: dict[str, Any] = {
            name: values.to(self.device) for name, values in found.items() if name in self._takes
        }
        wanted = {"logits_to_keep": 1, "use_cache": False}
        return features | {name: value for name, value in wanted.items() if name in self._takes}
