"""A running server as a model that mteb evaluates. Import this module only where mteb is installed.

from rankdistill.client.client import Client
from rankdistill.evaluation.mteb_served import ServedModel

mteb.evaluate(ServedModel(Client("http://127.0.0.1:8080")), mteb.get_tasks(["SciFact"]))
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from mteb.models.abs_encoder import AbsEncoder
from mteb.models.model_meta import ModelMeta, ScoringFunction
from numpy.typing import NDArray

from rankdistill.client.client import Client
from rankdistill.errors import ConfigError
from rankdistill.evaluation.mteb import identity
from rankdistill.evaluation.served import ServedEncoder

_SIMILARITIES = {"cosine": ScoringFunction.COSINE, "dot": ScoringFunction.DOT_PRODUCT}


class ServedModel(AbsEncoder):
    """The dense model of a server; mteb's prompt types `query` and `document` are its towers.

    Args:
        client: asks the server.

    Raises:
        ConfigError: it serves no dense model of both sides.
        ServerError: it does not answer, or refuses.
    """

    def __init__(self, client: Client) -> None:
        self._encoder = ServedEncoder(client, client.info(), "dense")
        model = self._encoder.model
        name, revision = identity(model["name"], self._encoder.fingerprint)
        lengths = [length for length in model["max_length"].values() if length is not None]
        self.mteb_model_meta = ModelMeta.create_empty(
            {
                "name": name,
                "revision": revision,
                "embed_dim": model["dimensions"][0],
                "max_tokens": min(lengths, default=None),
                "similarity_fn_name": _SIMILARITIES[model["similarity"]],
            }
        )

    def encode(
        self, inputs: Iterable[Mapping[str, Any]], *, prompt_type: Any = None, task_metadata: Any = None, **unused: Any
    ) -> NDArray[np.float32]:
        """Vectors of the texts of `inputs`, batches with a list `text`, float32 `[texts, dimension]`.

        Where mteb names no prompt type (clustering, similarity of sentences), the texts are documents.

        Raises:
            ConfigError: batches without texts, as of images.
        """
        texts: list[str] = []
        for batch in inputs:
            if "text" not in batch:
                raise ConfigError(
                    expected="a task of texts",
                    got=f"batches with {', '.join(batch)}",
                    consequence="nothing was encoded",
                    remedy="evaluate tasks of texts",
                )
            texts += batch["text"]
        asked = getattr(prompt_type, "value", prompt_type)
        encode = self._encoder.encode_queries if asked == "query" else self._encoder.encode_documents
        return np.asarray(encode(texts), np.float32)
