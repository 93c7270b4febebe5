"""The last modules of a student: a linear layer into the teacher's dimension, and the teacher's normalisation.

Both are modules of the model, so they are saved with it. A projection that lives on the loss is lost on saving, and the
saved student cannot be searched against the teacher's documents.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rankdistill.errors import ConfigError
from rankdistill.students.targets import WHOLE, Longest, Targets, encode

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Dense


def project(model: SentenceTransformer, dimension: int, normalise: bool, bias: bool = True) -> Dense:
    """Put a linear layer into `dimension` behind the pooling of `model`, in place; returns it.

    It starts as the identity where the dimension stays, else as torch starts a linear layer.

    Args:
        model: its vector is what the modules before a final `Normalize` give.
        dimension: length of a teacher's vector.
        normalise: whether the teacher's vectors have unit length.
        bias: whether the layer has a bias.
    """
    import torch
    from sentence_transformers.sentence_transformer.modules import Dense

    set_normalisation(model, normalise=False)
    width = int(model.get_embedding_dimension())
    layer = Dense(width, dimension, bias=bias, activation_function=torch.nn.Identity())
    if width == dimension:
        torch.nn.init.eye_(layer.linear.weight)
        if bias:
            torch.nn.init.zeros_(layer.linear.bias)
    model.append(layer.to(model.device))
    set_normalisation(model, normalise)
    return layer


def set_normalisation(model: SentenceTransformer, normalise: bool) -> None:
    """End `model` with one `Normalize`, or with none, in place."""
    from sentence_transformers.sentence_transformer.modules import Normalize

    while isinstance(model[-1], Normalize):
        del model[-1]
    if normalise:
        model.append(Normalize())


def is_normalised(model: SentenceTransformer) -> bool:
    """Whether `model` ends with a `Normalize`."""
    from sentence_transformers.sentence_transformer.modules import Normalize

    return isinstance(model[-1], Normalize)


def fit_model(
    model: SentenceTransformer, layer: Dense, targets: Targets, ridge: float, longest: Longest = WHOLE
) -> None:
    """Set `layer`, a projection in `model`, to the ridge regression of the targets (see `fit`).

    Texts are read up to `longest`, as in the training that follows.

    Raises:
        ConfigError: the layer has another dimension than the targets, or a vector is not finite.
    """
    from sentence_transformers import SentenceTransformer

    before = SentenceTransformer(modules=list(model)[: list(model).index(layer)], device=str(model.device))
    before.prompts = model.prompts
    fit(layer, encode(before, targets, longest), targets.vectors, ridge)


def fit(layer: Dense, student_vectors: np.ndarray, teacher_vectors: np.ndarray, ridge: float) -> None:
    """Set `layer` to the ridge regression of the teacher's vectors on the student's.

    `W = Y'X (X'X + ridge * s * I)^-1`, `s` the mean of the diagonal of `X'X`; with a bias, X and Y are centred.

    Args:
        layer: a linear layer, in place.
        student_vectors: float[n, in_features], what enters the layer.
        teacher_vectors: float[n, out_features], what should leave it.
        ridge: strength, above 0; 1 is as strong as the vectors themselves.

    Raises:
        ConfigError: the shapes do not belong together, or a value is not finite.
    """
    import torch

    _require_pairs(layer, student_vectors, teacher_vectors)
    X, Y = student_vectors.astype(np.float64), teacher_vectors.astype(np.float64)
    X_mean, Y_mean = (X.mean(axis=0), Y.mean(axis=0)) if layer.bias else (np.zeros(X.shape[1]), np.zeros(Y.shape[1]))
    X, Y = X - X_mean, Y - Y_mean
    gram = X.T @ X
    gram[np.diag_indices_from(gram)] += ridge * float(np.trace(gram)) / len(gram)
    weight = np.linalg.lstsq(gram, X.T @ Y)[0].T
    with torch.no_grad():
        layer.linear.weight.copy_(torch.from_numpy(weight))
        if layer.bias:
            layer.linear.bias.copy_(torch.from_numpy(Y_mean - weight @ X_mean))


def _require_pairs(layer: Dense, student_vectors: np.ndarray, teacher_vectors: np.ndarray) -> None:
    wanted = ((len(student_vectors), layer.in_features), (len(student_vectors), layer.out_features))
    if (student_vectors.shape, teacher_vectors.shape) != wanted or not len(student_vectors):
        problem = f"shapes {student_vectors.shape} and {teacher_vectors.shape}"
    elif not (np.isfinite(student_vectors).all() and np.isfinite(teacher_vectors).all()):
        problem = "a value that is not finite"
    else:
        return
    raise ConfigError(
        expected=f"vectors of the same n texts: student [n, {layer.in_features}], teacher [n, {layer.out_features}]",
        got=problem,
        consequence="the projection would start at a regression of unrelated vectors",
        remedy="embed the same texts, in the same order, with both models",
    )
