"""Embedding in one call: collections and files of texts in, a finished store out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from rankdistill.data import Dataset
from rankdistill.progress import Progress
from rankdistill.stores.embeddings.asking import Asked
from rankdistill.stores.embeddings.gathering import gather
from rankdistill.stores.embeddings.reader import EmbeddingStore
from rankdistill.stores.embeddings.sources import Sources
from rankdistill.stores.embeddings.text_files import parse_text_file


def embed(
    data: Sequence[Dataset],
    teacher: str | Asked,
    out: Path,
    *,
    texts: Sequence[str] = (),
    query_split: str | None = None,
    titles: bool = True,
    sentences: bool = True,
    limit: int | None = None,
    judged: Sequence[Dataset] = (),
    progress: Progress | None = None,
    command: str = "",
) -> EmbeddingStore:
    """Embed each distinct text once and write the store `out`; an interrupted call goes on from where it was.

    Args:
        data: collections; their documents are document-like, titles, sentences and training queries query-like.
        teacher: reference of a dense model, or with more settings `Asked`.
        out: folder of the store.
        texts: files of more texts: `query=FILE`, `document=FILE`, or FILE with kinds in it.
        query_split: split whose queries are embedded, or `unjudged`; None takes `train` where there is one, and all
            queries of a collection without judgements. Queries that another split judges are never embedded.
        titles: whether titles are embedded.
        sentences: whether sentences of documents are embedded.
        limit: texts of one source at most, chosen by hash.
        judged: further collections, to be evaluated on: nothing is taken from them, and no text that says the same as
            one of their queries is embedded.
        progress: called with the number of texts just embedded.
        command: the command line, for the manifest.

    Raises:
        DataError: a source is damaged, or there is nothing to embed.
        ConfigError: the teacher does not embed single texts, or its prompts are not clear.
        StaleOutputError: `out` holds vectors of another teacher, or something else.
        LockedError: another process writes the store.
    """
    asked = Asked(teacher) if isinstance(teacher, str) else teacher
    sources = Sources(list(data), [parse_text_file(words) for words in texts], query_split, titles, sentences, judged)
    with TemporaryDirectory(prefix="rankdistill-") as folder:
        gathered = gather(sources, Path(folder) / "texts.parquet", limit)
        asked.writer(out, gathered).run(command=command, progress=progress)
    return EmbeddingStore(out)
