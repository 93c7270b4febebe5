"""A sentence-transformers model run on texts tokenised once, in batches without waste, by the back end of choice."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rankdistill.errors import RankdistillError
from rankdistill.inference import rows, shapes
from rankdistill.inference.backends import Backend, TokenModel, choose, is_exact, open_backend
from rankdistill.inference.batching import by_token_budget
from rankdistill.inference.calibration import Pairs, hash_of, rows_of
from rankdistill.inference.canary import Canary
from rankdistill.inference.framing import UNLIMITED, Features, FramedInputs, Framing
from rankdistill.inference.template import detect
from rankdistill.progress import Progress

logger = logging.getLogger(__name__)

TOLERANCE = 1e-4
"""Largest difference from the original model, relative to its largest output, at which a back end is trusted."""

SLAB = 16384
"""Rows framed at a time: bounds the memory that token tables take."""

_PROBES = ("which river", "the deep river is slow and bright in the north", "a violin made of glass", "bread")


@dataclass(frozen=True)
class FastModel:
    """How texts become rows, and what runs them.

    Args:
        model: the original model; its `preprocess` is what framing is checked against.
        framing: the tokeniser's behaviour as data.
        backend: runs the padded batches.
        backend_name: what messages call it.
        canary: watches them; None where nothing does.
    """

    model: Any
    framing: Framing
    backend: Backend
    backend_name: str
    canary: Canary | None = None

    def run(self, columns: Sequence[Sequence[str]], progress: Progress | None = None) -> np.ndarray | None:
        """float32[n, outputs] for the texts (one column) or pairs (two), in their order.

        None where the tokeniser frames these very texts in another way than its template says.

        Raises:
            BackendError: the back end fails, or gives what is not the output of these texts.
        """
        outputs = []
        for start in range(0, len(columns[0]), SLAB):
            slab = [column[start : start + SLAB] for column in columns]
            framed = self.framing.apply(slab)
            if not self._framed_as_original(framed, slab):
                return None
            outputs.append(self._run_framed(framed, progress))
        if self.canary is not None:
            self.canary.finish(self.outputs)
        return np.concatenate(outputs)

    def outputs(self, features: Features) -> np.ndarray:
        """float32[rows, outputs] of one batch, in a shape of the grid where the back end keeps memory for each.

        Raises:
            BackendError: the back end fails, or gives another number of rows.
        """
        if not self.backend.on_grid:
            return self._as_they_come(features)
        pad = self.framing.tokenizer.pad_token_id or 0
        return self._as_they_come(shapes.on_grid(features, pad, self.framing.max_length))[: len(features["input_ids"])]

    def _as_they_come(self, features: Features) -> np.ndarray:
        """The same in the very shape that the batch has.

        Raises:
            BackendError: the back end fails, or gives another number of rows.
        """
        texts, runner = len(features["input_ids"]), f"back end {self.backend_name}"
        try:
            found = self.backend.run(features)
        except RankdistillError:
            raise
        except Exception as error:  # each library raises its own kinds
            raise rows.failed(texts, runner, " ".join(f"{type(error).__name__}: {error}".split())[:300]) from error
        rows.require(found, texts, runner)
        return found

    def run_features(self, features: Features) -> np.ndarray:
        """float32[rows, outputs] of one batch among many, watched by the canary.

        Raises:
            BackendError: the back end fails, or gives what is not the output of these texts.
        """
        if self.canary is None:
            return self.outputs(features)
        output = self.canary.watched(self.outputs, features)
        self.canary.finish(self.outputs)
        return output

    def _run_framed(self, framed: FramedInputs, progress: Progress | None) -> np.ndarray:
        lengths = framed.lengths
        result: np.ndarray | None = None
        for selected in by_token_budget(lengths, self.backend.token_budget):
            batch = framed.batch(selected)
            # A batch that fills the budget has one number of rows for its width: these shapes are few as they are.
            fills = batch["input_ids"].size + batch["input_ids"].shape[1] > self.backend.token_budget
            run = self._as_they_come if fills else self.outputs
            output = run(batch) if self.canary is None else self.canary.watched(run, batch)
            if result is None:
                result = np.empty((len(lengths), output.shape[1]), dtype=np.float32)
            result[selected] = output
            if progress is not None:
                progress(len(selected))
        assert result is not None, "a slab is never empty"
        return result

    def _framed_as_original(self, framed: FramedInputs, columns: Sequence[Sequence[str]]) -> bool:
        """Compare a few rows, the longest among them, with the original model's own preprocessing."""
        longest = int(np.argmax(framed.lengths))
        some = np.unique(np.array([0, len(columns[0]) // 2, len(columns[0]) - 1, longest]))
        ours = framed.batch(some)
        theirs = _original_features(self.model, columns, some)
        return ours.keys() == theirs.keys() and all(np.array_equal(ours[name], theirs[name]) for name in ours)


def accelerate(
    model: Any,
    texts: int,
    output: str,
    backend: str,
    device: str,
    weights: str,
    calibration: Pairs,
    threads: int | None = None,
) -> FastModel | None:
    """A fast form of `model`, or None where it has none: no text transformer, no fixed template, other numbers.

    Args:
        model: a loaded `SentenceTransformer` (`texts` = 1) or `CrossEncoder` (`texts` = 2).
        texts: columns of a row.
        output: the feature that the model ends with.
        backend: `auto` or a back end's name.
        device: a torch device.
        weights: hash of the model's weights, for the cache of exported models.
        calibration: pairs like those that the model will see, for back ends that need them.
        threads: of the back end; None takes all of torch's.

    Raises:
        ConfigError: unknown back end, or one that does not run on `device`.
    """
    from rankdistill.inference import first_token

    chosen = choose(backend, device)
    framing = framing_of(model, texts)
    if framing is None:
        level = logging.INFO if backend == "auto" else logging.WARNING
        logger.log(level, "sentence-transformers itself runs the model: no text transformer with a fixed template")
        return None
    columns = probe_columns(texts)
    expected = _original_output(model, columns, output)
    shortened = first_token.reads_first_token(model)
    if shortened:
        first_token.keep_first_token(model)
    identity = {"weights": weights, "max_length": framing.max_length, "output": output, "first_token": shortened}
    token_model = replace(token_model_of(model, framing, columns, identity, calibration), threads=threads)
    for name in dict.fromkeys((chosen, "torch")):
        fast = FastModel(model, framing, open_backend(name, token_model, device), name)
        found = fast.run(columns)
        if found is not None and _same_numbers(found, expected, is_exact(name)):
            return replace(fast, canary=_canary(fast, columns))
        logger.warning("back end %s does not give the original model's numbers and was left out", name)
    if shortened:
        first_token.keep_all_tokens(model)
    return None


def token_model_of(
    model: Any, framing: Framing, columns: Sequence[Sequence[str]], identity: Mapping[str, Any], pairs: Pairs
) -> TokenModel:
    """What a back end is given of `model`: its graph, traced with the texts of `columns`.

    Args:
        model: as in `accelerate`.
        framing: of its texts.
        columns: a few texts.
        identity: what the numbers depend on, with the feature that the model ends with as `output`.
        pairs: for back ends that are calibrated.
    """
    from rankdistill.inference.graph import Graph

    def calibration() -> list[Features]:
        framed = framing.apply(rows_of(pairs, len(columns)))
        return [framed.batch(np.array([row])) for row in range(len(framed.lengths))]

    example = framing.apply(columns).batch(np.arange(len(columns[0])))
    return TokenModel(Graph(model, str(identity["output"])).eval(), example, identity, calibration, hash_of(pairs))


def framing_of(model: Any, texts: int) -> Framing | None:
    """How `model` frames its rows of `texts` columns; None where it is no text transformer with a fixed template."""
    from sentence_transformers.base.modules import Transformer

    transformer = model[0]
    if type(transformer) is not Transformer or set(transformer.modality_config) != {"text"}:
        return None
    tokenizer = transformer.tokenizer
    if tokenizer is None or (tokenizer.padding_side, tokenizer.truncation_side) != ("right", "right"):
        return None
    names = tuple(_original_features(model, probe_columns(texts), np.arange(1)))
    template = detect(tokenizer, texts)
    if template is None or names[:2] != ("input_ids", "attention_mask") or set(names[2:]) - {"token_type_ids"}:
        return None
    return Framing(tokenizer, template, min(transformer.max_seq_length or UNLIMITED, UNLIMITED), names)


def _canary(fast: FastModel, columns: Sequence[Sequence[str]]) -> Canary:
    """The first of the probes, each alone in its batch."""
    framed = fast.framing.apply(columns)
    features = [framed.batch(np.array([row])) for row in range(2)]
    known, other = (fast.outputs(one).copy() for one in features)
    return Canary(features[0], known, other, fast.backend_name)


def probe_columns(texts: int) -> list[list[str]]:
    """A few short texts (`texts` = 1) or pairs (2)."""
    return [list(_PROBES)] if texts == 1 else [list(_PROBES), list(reversed(_PROBES))]


def _original_features(model: Any, columns: Sequence[Sequence[str]], selected: np.ndarray) -> Features:
    """What the model's own preprocessing makes of the rows `selected`, in the order of a graph's arguments."""
    chosen = [[column[row] for row in selected] for column in columns]
    found = model.preprocess(chosen[0] if len(columns) == 1 else list(zip(*chosen, strict=True)))
    order = ("input_ids", "attention_mask", "token_type_ids")
    arrays = {name: value.numpy() for name, value in found.items() if name not in {"modality", "prompt_length"}}
    return dict(sorted(arrays.items(), key=lambda item: order.index(item[0]) if item[0] in order else len(order)))


def _original_output(model: Any, columns: Sequence[Sequence[str]], output: str) -> np.ndarray:
    import torch

    features = model.preprocess(columns[0] if len(columns) == 1 else list(zip(*columns, strict=True)))
    features = {
        name: value.to(model.device) if isinstance(value, torch.Tensor) else value for name, value in features.items()
    }
    with torch.inference_mode():
        return model(features)[output].float().cpu().numpy()


def _same_numbers(found: np.ndarray, expected: np.ndarray, exact: bool) -> bool:
    """Whether a back end may be used: what is not `exact` need only be finite here; `fidelity` looks at the rest."""
    if not exact:
        return bool(np.isfinite(found).all())
    return bool(np.abs(found - expected).max() <= TOLERANCE * max(1.0, np.abs(expected).max()))
