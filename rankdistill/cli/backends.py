"""What `--backend` of `rankdistill index` names: what searches, what runs the model, or each once."""

from __future__ import annotations

from collections.abc import Sequence


def split_backends(given: Sequence[str]) -> tuple[str | None, str]:
    """The back end of the index, None where none is named, and the one that runs the model, `auto` by default.

    Raises:
        ConfigError: a name of neither, or two of one kind.
    """
    from rankdistill.errors import ConfigError
    from rankdistill.indexing import registry
    from rankdistill.inference.backends import BACKENDS

    searching = registry.names()
    of_index = [name for name in given if name in searching]
    of_model = [name for name in given if name not in searching]
    if len(of_index) > 1 or len(of_model) > 1 or not set(of_model) <= {"auto", *BACKENDS}:
        raise ConfigError(
            expected=f"at most one back end of the index ({', '.join(searching)}) "
            f"and one that runs the model (auto, {', '.join(BACKENDS)})",
            got=", ".join(given),
            consequence="nothing was run",
            remedy="name some of those; FAISS takes --factory",
        )
    return next(iter(of_index), None), next(iter(of_model), "auto")
