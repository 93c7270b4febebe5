"""Models as they are served: `load_model` takes whatever a reference names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module

from rankdistill import models
from rankdistill.bundles.layout import is_bundle
from rankdistill.errors import ModelReferenceError
from rankdistill.inference.loading import kind_of
from rankdistill.serving.contracts import Limits, Metrics, ServedModel
from rankdistill.serving.loaders.loading import Loading
from rankdistill.space import AnySpace

_HERE = "rankdistill.serving.loaders"

LOADERS: Mapping[str, str] = {
    "bundle": f"{_HERE}.dense:load_bundle",
    "encoder": f"{_HERE}.dense:load",
    "sparse": f"{_HERE}.sparse:load",
    "multi_vector": f"{_HERE}.multi_vector:load",
    "cross_encoder": f"{_HERE}.pairs:load",
}
"""What a reference names -> what loads it: `(reference, Loading) -> ServedModel`. A new kind is a file and a line."""

USUAL = Limits()


def load_model(
    reference: str,
    *,
    name: str | None = None,
    backend: str = "fast",
    threads: int | None = None,
    limits: Limits = USUAL,
    metrics: Metrics | None = None,
    documents: AnySpace | None = None,
) -> ServedModel:
    """Load, warm up and measure a model; it answers in whatever event loop first asks it. Blocks for seconds.

    Args:
        reference: folder of a bundle, or a reference of a dense, static, sparse or multi-vector model or of a
            cross-encoder.
        name: what requests call it; None: the name of its folder.
        backend: a back end's name; `fast`: the fastest here that keeps float32's ranking; `auto`: of float32.
        threads: of the back end; None takes all that torch has.
        limits: of waiting, of batches, of the cache.
        metrics: told of the queue, of batches and of the cache.
        documents: space of the documents that will be searched: where the model is their tower, texts are cut where
            they were cut.

    Raises:
        ModelReferenceError: nothing there that can be served.
        SpaceMismatchError: a bundle was edited.
        DataError: it is unfinished.
        ConfigError: unknown back end, or one that does not run this model.
    """
    kind = "bundle" if is_bundle(reference) else kind_of(models.resolve(reference).path)
    if kind not in LOADERS:
        raise ModelReferenceError(
            expected="a bundle, or a dense, static, sparse or multi-vector model, or a cross-encoder",
            got=f"{reference}: {kind.replace('_', ' ')}",
            consequence="nothing is served",
            remedy="serve what was distilled from it",
        )
    module, _, name_of_loader = LOADERS[kind].partition(":")
    load: Callable[[str, Loading], ServedModel] = getattr(import_module(module), name_of_loader)
    return load(reference, Loading(name or models.name_of(reference), backend, threads, limits, metrics, documents))
