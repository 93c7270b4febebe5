"""From a model reference and a teacher's vectors to a student that can be aligned to that teacher."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rankdistill import models
from rankdistill.errors import ConfigError
from rankdistill.progress import Progress
from rankdistill.space import Space, SparseSpace
from rankdistill.students import dense, inherit, layer_search, narrow, projection, prune, static
from rankdistill.students.settings import StudentSettings
from rankdistill.students.targets import WHOLE, Embeddings, Longest, Targets, reading, sample, texts_of

if TYPE_CHECKING:
    import numpy as np
    from sentence_transformers import SentenceTransformer, SparseEncoder

STATIC = "static"
SEARCHED_TEXTS = 300
"""Texts that a search of layers encodes for each set of layers."""
ENCODER_ONLY = ("keep_layers", "layers", "hidden_size", "max_length")
"""Settings that a static student cannot follow."""
MEASURED_TEXTS = 64
"""Texts whose activations decide what a narrower encoder keeps."""


def prepare(
    student: str,
    settings: StudentSettings,
    space: Space,
    store: Embeddings,
    dropout: float | None = None,
    progress: Progress | None = None,
    known: dict[str, np.ndarray] | None = None,
    longest: Longest = WHOLE,
) -> SentenceTransformer:
    """A student whose vectors have the dimension, the normalisation and the similarity of `space`, on the CPU.

    Args:
        student: model reference, or `static` for a token table made from the store's teacher.
        settings: what is inherited, narrowed, projected and fitted.
        space: the teacher's.
        store: texts with the teacher's vectors; a sample of them is read.
        dropout: rate everywhere in the encoder; None keeps the model's own.
        progress: called with the number of texts and tokens done since the last call, where that takes long.
        known: of several static students, what `static.build` keeps for the next one.
        longest: tokens of a text that the training will read, of students that cut texts.

    Raises:
        ConfigError: the settings cannot give the teacher's dimension or normalisation, or name missing layers.
        ModelReferenceError: the student does not load, or its architecture or tokeniser is not known.
    """
    _require_rows(store)
    if student == STATIC:
        _require_no_layers(settings)
        targets = sample(store, settings.static.texts)
        model = static.build(store.reference, targets, settings.static, space, progress, settings.vocabulary, known)
        projection.set_normalisation(model, space.normalised)
        _require_matching(model, space, student)
    else:
        model = _encoder(student, settings, space, store, dropout, longest)
    model.similarity_fn_name = space.similarity
    model.model_card_data.local_files_only = True
    return model


def prepare_sparse(
    student: str, settings: StudentSettings, space: SparseSpace, dropout: float | None = None
) -> SparseEncoder:
    """A sparse student over the vocabulary of `space`, as it is: term weights cannot be projected. On the CPU.

    Raises:
        ConfigError: another vocabulary or similarity, or settings that are for dense students.
        ModelReferenceError: no SPLADE model.
    """
    from rankdistill.inference.splade_head import pool_before_activation
    from rankdistill.manifest import digest
    from rankdistill.students import sparse

    given = sorted(name for name in settings.model_fields_set if getattr(settings, name) is not None)
    if given:
        raise ConfigError(
            expected="a sparse student as it is: nothing of it is inherited, narrowed or projected",
            got=", ".join(given),
            consequence="nothing was trained",
            remedy="leave these settings of the preparation out",
        )
    model = sparse.load(student, dropout)
    pool_before_activation(model)
    own = digest(model.tokenizer.convert_ids_to_tokens(range(sparse.vocabulary_size(model))))
    if own != space.vocabulary or model.similarity_fn_name != space.similarity:
        raise ConfigError(
            expected=f"a student over the teacher's vocabulary, compared by {space.similarity}",
            got=f"{student!r}: {'another one' if own != space.vocabulary else 'the same'}, compared by "
            f"{model.similarity_fn_name}",
            consequence="its weights could never be the teacher's, so nothing was trained",
            remedy="start from the teacher itself, or from a model of its vocabulary",
        )
    return model


def _encoder(
    student: str, settings: StudentSettings, space: Space, store: Embeddings, dropout: float | None, longest: Longest
) -> SentenceTransformer:
    model = dense.load(student, settings.pooling, max_length=settings.max_length, dropout=dropout)
    if settings.vocabulary is not None:
        prune.prune(model, texts_of(store, prune.COUNTED_TEXTS), settings.vocabulary)
    targets = sample(store, settings.sample)
    layers = _layers(model, settings, targets, longest)
    if layers is not None:
        inherit.keep(model, layers)
    if settings.hidden_size is not None:
        with reading(model, longest.get("document")):
            narrow.narrow(model, settings.hidden_size, targets.thinned(MEASURED_TEXTS).texts, settings.narrowing)
    if not _is_projected(student, settings, store):
        _require_matching(model, space, student)
        return model
    layer = projection.project(model, space.dimension, space.normalised, settings.bias)
    if settings.fit:
        projection.fit_model(model, layer, targets, settings.ridge, longest)
    return model


def _layers(
    model: SentenceTransformer, settings: StudentSettings, targets: Targets, longest: Longest
) -> list[int] | None:
    rule = settings.keep_layers
    if not isinstance(rule, str):
        return None if rule is None else list(rule)
    count = settings.layers or 1
    if rule == "search":
        return layer_search.search(model, targets.thinned(SEARCHED_TEXTS), count, longest)
    return layer_search.by_rule(rule, inherit.layer_count(model), count)


def _is_projected(student: str, settings: StudentSettings, store: Embeddings) -> bool:
    if settings.projection != "auto":
        return settings.projection == "always"
    uncut = settings.keep_layers is None and settings.hidden_size is None and settings.vocabulary is None
    return not (uncut and models.resolve(student).weights_hash == models.resolve(store.reference).weights_hash)


def _require_no_layers(settings: StudentSettings) -> None:
    given = [name for name in ENCODER_ONLY if name in settings.model_fields_set and getattr(settings, name) is not None]
    if given:
        raise ConfigError(
            expected="settings that a static student has",
            got=", ".join(f"{name}: {getattr(settings, name)}" for name in given),
            consequence="a table of token vectors has no layers, so nothing was made",
            remedy=f"leave {', '.join(given)} out, or give a student with layers",
        )


def _require_matching(model: SentenceTransformer, space: Space, student: str) -> None:
    own = (int(model.get_embedding_dimension()), projection.is_normalised(model))
    if own == (space.dimension, space.normalised):
        return
    raise ConfigError(
        expected=f"a student whose vectors are {_describe(space.dimension, space.normalised)}, as the teacher's",
        got=f"{student!r}: {_describe(*own)}",
        consequence="its vectors could never equal the teacher's, so nothing was trained",
        remedy="let the student be fitted and projected (fit: true, projection: auto), or take another student",
    )


def _describe(dimension: int, normalised: bool) -> str:
    return f"{dimension} numbers, {'of unit length' if normalised else 'not normalised'}"


def _require_rows(store: Embeddings) -> None:
    if not store.texts().num_rows:
        raise ConfigError(
            expected="an embedding store with texts",
            got="an empty one",
            consequence="there is nothing to align a student to",
            remedy="embed some texts first",
        )
