"""`bundle`: a query tower and its document tower as one artefact."""

from __future__ import annotations

from dataclasses import replace

from rankdistill.bundles.layout import Bundle
from rankdistill.progress import ProgressLike, reporter_of
from rankdistill.verbs.arguments import Model, Place, place_of, reference_of
from rankdistill.verbs.contract import verb


@verb
def bundle(
    query_model: Model,
    document_model: Model,
    out: Place,
    *,
    include_document_model: bool = False,
    onnx: bool = True,
    router: bool = True,
    unaligned: bool = False,
    progress: ProgressLike = False,
    command: str = "",
) -> Bundle:
    """Bundle a small query tower with the document tower that it was aligned with; a mismatch is refused.

    Args:
        query_model: encoder of the queries: a student whose `space.json` names the document model.
        document_model: encoder of the documents: the student's teacher.
        out: folder for the bundle; one that holds exactly this one is left as it is.
        include_document_model: put the document model into it, not only its name.
        onnx: export the query tower to ONNX, float32 and int8.
        router: both towers as one sentence-transformers model too.
        unaligned: trust that the models share a space, which no `space.json` says; the dimension alone is checked.
        progress: True tells on standard error.
        command: the command line, for the manifest.

    Returns:
        The bundle, which prints as its towers and its ONNX files with their cosines.

    Raises:
        ModelReferenceError: a model is not to be found.
        SpaceMismatchError: the two do not belong together.
        StaleOutputError: `out` holds another bundle.
        MissingDependencyError: onnx or ONNX Runtime is not installed.
        BackendFidelityError: an ONNX file does not give the query model's vectors.
    """
    from rankdistill.bundles.making import bundle as make

    folder, queries = place_of(out), reference_of(query_model)
    with reporter_of(progress).stage("bundle", "pieces"):
        make(
            queries,
            reference_of(document_model),
            folder,
            include_document_model=include_document_model,
            onnx=onnx,
            router=router,
            unaligned=unaligned,
            command=command,
        )
    return replace(Bundle.read(folder), made_from=queries)
