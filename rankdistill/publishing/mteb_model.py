"""The student as mteb has it: its `ModelMeta`, the code of that, and the mock run."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from keyword import iskeyword
from pathlib import Path
from typing import Any

from rankdistill import locations, plain_json
from rankdistill._extras import require
from rankdistill.bundles.layout import is_bundle
from rankdistill.errors import ConfigError, DataError
from rankdistill.inference.loading import kind_of
from rankdistill.publishing.settings import Details

ROUTER_CONFIG = "router_config.json"

_WRAPPERS = {"sparse": "SparseEncoderWrapper", "multi_vector": "MultiVectorWrapper"}
_USUAL = "SentenceTransformerEncoderWrapper"

CODE = """from mteb.models.model_meta import ModelMeta, ScoringFunction
from mteb.models.sentence_transformer_wrapper import {wrapper}

{variable} = {code}
"""


def wrapper_name(model: Path) -> str:
    """The class of mteb that loads the model."""
    return _WRAPPERS.get(kind_of(model), _USUAL)


def published_meta(
    found: Mapping[str, Any],
    student: Path,
    model: Path,
    name: str,
    revision: str,
    details: Details,
    training_datasets: Sequence[str],
    adapted_from: str | None,
) -> Any:
    """The `ModelMeta` of mteb with all that is known.

    Args:
        found: what the evaluation wrote of the model.
        student: the student or bundle.
        model: the folder that is published.
        name: of the model.
        revision: of its content, or its commit.
        details: what its publisher says.
        training_datasets: its own, and those of all its parents.
        adapted_from: mteb's name of the model that training started from.

    Raises:
        ConfigError: mteb does not take what is said, as the licence.
    """
    require("mteb", "mteb's model card")
    from mteb.models import sentence_transformer_wrapper
    from mteb.models.model_meta import ModelMeta

    kept = ("n_parameters", "memory_usage_mb", "max_tokens", "embed_dim", "similarity_fn_name", "use_instructions")
    fields: dict[str, Any] = {
        "loader": getattr(sentence_transformer_wrapper, wrapper_name(model)),
        "name": name,
        "revision": revision,
        "release_date": details.release_date,
        "languages": list(details.languages),
        "n_embedding_parameters": None,
        "license": details.license,
        "open_weights": True,
        "public_training_code": details.public_training_code,
        "public_training_data": details.public_training_data,
        "framework": list(found.get("framework") or []),
        "reference": details.reference or f"https://huggingface.co/{name}",
        "training_datasets": set(training_datasets),
        "adapted_from": adapted_from,
        "model_type": ["router"] if is_bundle(str(student)) else list(found.get("model_type") or ["dense"]),
        "citation": details.citation,
        "contacts": list(details.contacts) or None,
        **{one: found.get(one) for one in kept},
    }
    try:
        return ModelMeta(**fields)
    except ValueError as error:
        raise ConfigError(
            expected="what mteb takes for a model",
            got="; ".join(str(error).splitlines()[1:3]).strip() or str(error),
            consequence="nothing was published",
            remedy="repair the --config of the publication",
        ) from error


def code_of(meta: Any, model: Path) -> str:
    """Python that makes `meta`, as mteb's `models/model_implementations` has it.

    Raises:
        DataError: what was written does not make the same; it is run to see.
    """
    variable = re.sub(r"\W+", "_", meta.name.partition("/")[2]).strip("_").lower()
    if not variable.isidentifier() or iskeyword(variable):
        variable = f"model_{variable}"
    code = CODE.format(wrapper=wrapper_name(model), variable=variable, code=meta.to_python())
    made: dict[str, Any] = {}
    exec(compile(code, "model_meta.py", "exec"), made)
    if made[variable] != meta:
        raise DataError(
            expected="code that makes the model's ModelMeta",
            got="code that makes another",
            consequence="nothing was published",
            remedy="report it, with the publication's --config",
        )
    return code


def json_of(meta: Any) -> str:
    """The content of `model_meta.json`, as mteb writes it, with sets in order."""
    content = meta.to_dict()
    content["training_datasets"] = sorted(content["training_datasets"] or [])
    return json.dumps(content, indent=4, default=str) + "\n"


def overlays(student: Path, model: Path) -> dict[str, str]:
    """Files of the published model that differ from those here: path -> content.

    mteb encodes the texts of symmetric tasks without saying which side they are. Our routers refuse that; the published
    one takes them for documents, as all of mteb's routers do.
    """
    if not is_bundle(str(student)):
        return {}
    found = {}
    for path in locations.listing(model, f"**/{ROUTER_CONFIG}"):
        content = plain_json.loads(path.read_text(encoding="utf-8"))
        content["parameters"]["default_route"] = "document"
        found[path.relative_to(model).as_posix()] = json.dumps(content, indent=4) + "\n"
    return found


def mock_run(student: Path, model: Path, meta: Any) -> tuple[dict[str, str], int]:
    """Run mteb's mock tasks on the model as it is published; (task -> why it failed, number of tasks that ran).

    They need no data and no network. One that needs a library which is not installed is no failure, and did not run.
    """
    mteb = require("mteb", "mteb's mock run")
    from mteb.mocks.mock_run import is_dependency_error
    from mteb.models import sentence_transformer_wrapper
    from mteb.results.task_result import TaskError

    with _quiet():
        loaded = getattr(sentence_transformer_wrapper, wrapper_name(model))(str(model), device="cpu")
        if is_bundle(str(student)):
            loaded.model[0].default_route = "document"
        loaded.mteb_model_meta = meta
        found = mteb.mock_run(loaded)
    errors = {name: status for name, status in found.items() if isinstance(status, TaskError)}
    ran = {
        name
        for name, status in found.items()
        if status is not None and not (name in errors and is_dependency_error(status))
    }
    return {name: str(errors[name].exception).splitlines()[0] for name in errors if name in ran}, len(ran)


@contextmanager
def _quiet() -> Iterator[None]:
    """Nothing is shown: mteb tells of each task on the log; its warnings about tiny data are none of the user's."""
    import warnings

    logger = logging.getLogger("mteb")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)
