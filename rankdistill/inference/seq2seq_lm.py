"""`Seq2SeqLM`: a sequence-to-sequence model that draws texts of a text, each draw from a seed of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rankdistill.errors import BackendError
from rankdistill.inference.batching import by_token_budget
from rankdistill.inference.loading import load_seq2seq
from rankdistill.inference.precision import pick_device
from rankdistill.models import resolve

CPU_BUDGET, GPU_BUDGET = 4096, 65536
"""Padded tokens of a batch, those of every draw counted."""


@dataclass(frozen=True)
class Sampling:
    """How texts are drawn.

    Args:
        top_k: so many of the likeliest tokens are drawn from.
        temperature: of the draw.
        max_new_tokens: tokens of a text at most.
    """

    top_k: int
    temperature: float
    max_new_tokens: int


class Seq2SeqLM:
    """A transformers model with encoder and decoder, in torch.

    Args:
        model: a model reference.
        dtype: of the weights and of the computation, `float32` or `bfloat16`.
        device: a torch device; None takes the GPU where there is one.

    Raises:
        ModelReferenceError: another kind of model.
    """

    def __init__(self, model: str, dtype: str = "float32", device: str | None = None) -> None:
        self.reference, self.dtype, self.device = resolve(model), dtype, pick_device(device)
        self._model, self.tokenizer = load_seq2seq(self.reference, self.device, dtype)

    def draw(
        self,
        texts: Sequence[str],
        seeds: Sequence[Sequence[int]],
        sampling: Sampling,
        max_length: int,
        token_budget: int | None = None,
    ) -> Iterator[tuple[int, list[str]]]:
        """(place of the text, what is drawn of it: one text a seed), in batches of similar length.

        A draw is the largest of log-probability / temperature + Gumbel noise over the `top_k` likeliest tokens, which
        is a draw from their softmax (Gumbel-max); the noise comes from the draw's own seed, so that it is the same in
        any batch.

        Args:
            texts: what is read.
            seeds: of each text's draws; as many for each text.
            sampling: how.
            max_length: tokens of a text that are read.
            token_budget: padded tokens of a batch at most.

        Raises:
            BackendError: the model gives NaN.
        """
        import torch

        limit = min(max_length, self.tokenizer.model_max_length)
        rows = [
            self.tokenizer(text, truncation=True, max_length=limit, verbose=False)["input_ids"] or [self._pad]
            for text in texts
        ]
        draws = len(seeds[0]) if seeds else 0
        budget = (token_budget or (CPU_BUDGET if self.device == "cpu" else GPU_BUDGET)) // max(1, draws)
        for batch in by_token_budget(np.array([len(row) for row in rows], dtype=np.int64), budget):
            longest = max(len(rows[place]) for place in batch)
            ids = torch.full((len(batch), longest), self._pad)
            mask = torch.zeros((len(batch), longest), dtype=torch.long)
            for row, place in enumerate(batch):
                ids[row, : len(rows[place])] = torch.tensor(rows[place])
                mask[row, : len(rows[place])] = 1
            drawn = self._drawn(ids.to(self.device), mask.to(self.device), [seeds[place] for place in batch], sampling)
            for row, place in enumerate(batch):
                yield int(place), drawn[row * draws : (row + 1) * draws]

    def _drawn(self, ids: Any, mask: Any, seeds: Sequence[Sequence[int]], sampling: Sampling) -> list[str]:
        """Each row's draws, one after the other; a text is encoded once for all of its draws."""
        import torch
        from transformers import GenerationConfig
        from transformers.modeling_outputs import BaseModelOutput

        draws = len(seeds[0])
        own = self._model.generation_config
        settings = GenerationConfig(  # what the model's folder suggests besides is not used
            max_new_tokens=sampling.max_new_tokens,
            do_sample=False,
            num_beams=1,
            pad_token_id=self._pad,
            bos_token_id=own.bos_token_id,
            eos_token_id=own.eos_token_id,
            decoder_start_token_id=own.decoder_start_token_id,
            forced_bos_token_id=own.forced_bos_token_id,
        )
        with torch.inference_mode():
            states = self._model.get_encoder()(input_ids=ids, attention_mask=mask).last_hidden_state
            written = self._model.generate(
                encoder_outputs=BaseModelOutput(last_hidden_state=states.repeat_interleave(draws, dim=0)),
                attention_mask=mask.repeat_interleave(draws, dim=0),
                generation_config=settings,
                logits_processor=[_draws([seed for row in seeds for seed in row], sampling)],
            )
        return list(self.tokenizer.batch_decode(written, skip_special_tokens=True))

    @property
    def _pad(self) -> int:
        return int(self.tokenizer.pad_token_id or 0)


def _draws(seeds: Sequence[int], sampling: Sampling) -> Any:
    """A logits processor after which the largest score of each row is its draw."""
    import torch
    from transformers import LogitsProcessor

    class Draws(LogitsProcessor):
        def __init__(self) -> None:
            self._generators = [np.random.default_rng(seed) for seed in seeds]

        def __call__(self, input_ids: Any, scores: Any) -> Any:
            if torch.isnan(scores).any():
                raise BackendError(
                    expected="probabilities of the next token",
                    got="NaN",
                    consequence="nothing was drawn",
                    remedy="look at the model's weights, or take dtype float32",
                )
            values, places = scores.float().topk(min(sampling.top_k, scores.shape[-1]))
            noise = np.stack([one.gumbel(size=values.shape[-1]) for one in self._generators])
            drawn = values / sampling.temperature + torch.from_numpy(noise).to(values)
            return torch.full_like(scores, -torch.inf).scatter(-1, places, drawn.to(scores.dtype))

    return Draws()
