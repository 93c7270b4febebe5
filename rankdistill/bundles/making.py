"""Making a bundle: two towers in, one folder out that search can be built on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rankdistill import files, locations, manifest, space
from rankdistill.bundles import card, layout
from rankdistill.bundles.alignment import require_aligned
from rankdistill.bundles.opening import open_document_encoder, open_query_encoder
from rankdistill.bundles.router import write_router
from rankdistill.inference import conversation, trained_dimensions
from rankdistill.inference.loading import load_encoder
from rankdistill.inference.saving import copy_model, save_model
from rankdistill.making import making
from rankdistill.training import teacher_cost

if TYPE_CHECKING:
    from rankdistill.inference import TextEncoder
    from rankdistill.inference.onnx_files import OnnxFile

NO_GRAPH = "the query model is no text transformer with a fixed template (a static one is a table and needs no graph)"
NOT_WANTED = "left out on request"

_PIECES = (layout.QUERY, layout.DOCUMENT, layout.ROUTER, space.FILE_NAME, layout.ONNX_REPORT, layout.CARD)


@dataclass(frozen=True)
class Contents:
    """What a bundle holds beside the query tower and the space.

    Args:
        include_document_model: the document model itself; else what it is called and the hash of its weights.
        onnx: the query tower as ONNX files, float32 and int8.
        router: both towers as one sentence-transformers model.
    """

    include_document_model: bool = False
    onnx: bool = True
    router: bool = True


def bundle(
    query_model: str,
    document_model: str,
    out: Path,
    *,
    include_document_model: bool = False,
    onnx: bool = True,
    router: bool = True,
    unaligned: bool = False,
    command: str = "",
) -> Path:
    """Write the bundle `out` of a query model and the document model that it is aligned with.

    Args:
        query_model: reference of the model that embeds queries; its `space.json` names the document model.
        document_model: reference of the model that embeds documents.
        out: the folder; if it holds this very bundle already, nothing is done.
        include_document_model: put the document model into it; else a pointer to it.
        onnx: export the query model to ONNX, float32 and int8.
        router: write both as one sentence-transformers model too; it holds the weights of both.
        unaligned: accept a query model without `space.json`; its dimension alone is checked.
        command: the command line, for the manifest.

    Returns:
        `out`.

    Raises:
        ModelReferenceError: a model is not to be found.
        SpaceMismatchError: the two do not belong together; see `alignment.require_aligned`.
        StaleOutputError: `out` holds another bundle.
        OutputError: `out` holds other files.
        MissingDependencyError: onnx or ONNX Runtime is not installed.
        BackendFidelityError: an ONNX file does not give the query model's vectors.
    """
    query = open_query_encoder(query_model, "torch")
    document = open_document_encoder(document_model, "torch")
    aligned = require_aligned(query, document, unaligned)
    contents = Contents(include_document_model, onnx, router)
    wanted = manifest.Manifest(
        artefact=layout.ARTEFACT,
        inputs={"query_model": query.space.document_tower, "document_model": document.space.document_tower},
        parameters={"space": document.space.to_json(), "document_model": document.reference.name, "aligned": aligned}
        | asdict(contents),
        versions=manifest.versions_of("sentence-transformers", "transformers", "torch", "onnx", "onnxruntime"),
        command=command,
    )
    with making(out, wanted) as made:
        if not made.current:
            files.remove_temporaries(out)
            files.clear(out, _PIECES, "a bundle")
            _write(out, query, document, contents)
            made.wrote(_written(out))
            teacher_cost.carry(str(query.reference.path), out / layout.QUERY)
            if include_document_model:
                teacher_cost.carry(str(document.reference.path), out / layout.DOCUMENT)
    return out


def _write(out: Path, query: TextEncoder, document: TextEncoder, contents: Contents) -> None:
    _write_query(out / layout.QUERY, query)
    trained_dimensions.write(out / layout.QUERY, trained_dimensions.shorter(query.reference.path))
    space.write(out / layout.QUERY, document.space)
    space.write(out, document.space)
    _write_document(out / layout.DOCUMENT, document, contents.include_document_model)
    exported = _export(out / layout.QUERY / layout.ONNX, query) if contents.onnx else []
    reason = NOT_WANTED if not contents.onnx else NO_GRAPH if not exported else ""
    report = {"files": [asdict(file) for file in exported]} | ({"reason": reason} if reason else {})
    _write_json(out / layout.ONNX_REPORT, report)
    if contents.router:
        write_router(query, document, out / layout.ROUTER)
    files.write_text(
        out / layout.CARD, card.render(query, document, exported, contents.router, contents.include_document_model)
    )


def _write_query(folder: Path, query: TextEncoder) -> None:
    """The query tower as a sentence-transformers model; one that is such a model keeps its bytes, but for its length.

    What its files say of the length becomes what it reads: other libraries that serve the bundle go by them.
    """
    if (query.reference.path / "modules.json").is_file():
        copy_model(query.reference.path, query.reference.files(), folder, query.max_length)
    else:
        save_model(load_encoder(query.reference, "cpu", query.max_length), folder)
    if (found := conversation.read(query.reference.path)) is not None:
        conversation.write(folder, found)


def _write_document(folder: Path, document: TextEncoder, include: bool) -> None:
    if include:
        copy_model(document.reference.path, document.reference.files(), folder, document.max_length)
        return
    pointer = {
        "reference": document.reference.name,
        "weights": document.space.document_tower,
        "space": document.space.fingerprint,
    }
    _write_json(folder / layout.POINTER, pointer)


def _export(folder: Path, query: TextEncoder) -> Sequence[OnnxFile]:
    from rankdistill.inference import onnx_files

    model = load_encoder(query.reference, "cpu", query.max_length)
    return onnx_files.export(model, query.reference, folder, query.query_prompt)


def _written(out: Path) -> list[Path]:
    """All but the lock: a model that was copied may have files whose names begin with a dot."""
    return [path for path in locations.all_files(out) if path.name != files.LOCK_NAME]


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    files.write_text(path, json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
