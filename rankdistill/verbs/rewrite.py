"""`rewrite`: the questions of conversations, each said so that it means the same without its conversation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rankdistill.errors import ConfigError
from rankdistill.formats import converting_sessions
from rankdistill.notes import tell
from rankdistill.progress import ProgressLike, reporter_of
from rankdistill.querying.generator import MeteredGenerator
from rankdistill.rewriting import registry
from rankdistill.rewriting.building import build
from rankdistill.rewriting.result import Rewritten
from rankdistill.sessions import rewrites
from rankdistill.sessions.writing import FILE_NAME
from rankdistill.verbs.arguments import Conversations, Place, listed, place_of, require_range, sessions_of
from rankdistill.verbs.contract import verb
from rankdistill.verbs.data import local


@verb
def rewrite(
    sessions: Conversations,
    rewriter: str | Mapping[str, Any],
    out: Place,
    *,
    name: str,
    splits: str | Sequence[str] = (),
    cache: Place | None = None,
    unit_size: int = 64,
    progress: ProgressLike = False,
    command: str = "",
) -> Rewritten:
    """Rewrite questions, and keep the rewrites beside the sessions under a name, with those that are there.

    A question that opens its conversation is its own rewrite. Conversations that say the same are asked about once.

    Args:
        sessions: the conversations.
        rewriter: a model that writes (T5 or BART, or a chat model; `seq2seq:MODEL`, `causal:MODEL` say which), the
            address of an OpenAI-compatible service (`http://HOST/v1#MODEL`), a file of rewrites (`.jsonl`, `.tsv`,
            `.parquet`), a YAML file with `kind` and that kind's settings, or these as a mapping.
        out: the folder of the sessions itself; or another one, which becomes a copy with these rewrites besides.
        name: of the rewrites, by which training takes them.
        splits: rewrite the questions of these splits only.
        cache: folder in which rewrites of models and services are kept for other calls, by content, in Parquet.
        unit_size: questions that a model is asked about at a time: what a kill can cost.
        progress: True tells on standard error; or a function that takes the number of questions just done.
        command: the command line, for the manifest.

    Returns:
        The counts; stands for the folder of the sessions.

    Raises:
        ConfigError: no such rewriter, a name that no folder can have, or settings that do not fit together.
        DataError: the sessions cannot be read, have no such split, or have rewrites of that name in their own file.
        TeacherError: a model or service fails; what it gave is kept, and the same call goes on from there.
        StaleOutputError, OutputError: rewrites of that name were made, or begun, with another rewriter; or `out` holds
            something else.
    """
    require_range(1, unit_size=unit_size)
    rewrites.require_name(name)
    found, folder = sessions_of(sessions), local(out)
    given = rewriter if isinstance(rewriter, Mapping) else str(rewriter)
    for split in listed(splits):
        found.asked(split)
    if _same(folder, found.path) and found.path.is_file():
        raise ConfigError(
            expected=f"sessions in a file {FILE_NAME}, beside which rewrites can lie",
            got=str(found.path),
            consequence="nothing was rewritten: the rewrites would be found by nobody",
            remedy=f"rename it to {FILE_NAME}, or give another --out, which becomes a copy with the rewrites",
        )
    loaded = registry.named(given)
    if not _same(folder, found.path):
        converting_sessions.copy(folder, found, reporter_of(progress), command)
    try:
        return build(
            folder,
            found,
            loaded,
            name,
            listed(splits),
            cache=None if cache is None else place_of(cache),
            unit_size=unit_size,
            reporter=reporter_of(progress),
            command=command,
        )
    finally:
        if isinstance(loaded, MeteredGenerator):
            tell(loaded.spent())


def _same(folder: Path, place: Path) -> bool:
    """Whether a folder is the one that the sessions lie in."""
    return folder.resolve() in (place.resolve(), *([place.resolve().parent] if place.is_file() else []))
