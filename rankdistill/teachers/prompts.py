"""Which prompt an embedding teacher puts before queries and before documents, where its configuration is not clear."""

from __future__ import annotations

from collections.abc import Mapping

from rankdistill.errors import ConfigError
from rankdistill.inference.prompts import NAMES
from rankdistill.teachers.base import Role


def settle(role: Role, carried: Mapping[str, str], own: str, given: str | None) -> str:
    """The prompt of a role: the one given, else the model's own.

    A model with a query prompt and none for documents is clear: its documents have none. One that carries prompts only
    under other names (`s2p_query`, `search_document`) or only for documents is not: to embed its queries without a
    prompt would give other vectors than its authors mean, and nothing would show it.

    Args:
        role: of the texts.
        carried: the model's prompts by name.
        own: the prompt that the model itself would take for the role.
        given: the prompt that the user wants; None leaves it to the model.

    Raises:
        ConfigError: none was given, and the model carries prompts but not for this role.
    """
    if given is not None:
        return given
    named = {name for name, prompt in carried.items() if prompt}
    clear = NAMES["query"] if role == "document" else ()
    if own or not named or named.intersection(clear):
        return own
    raise ConfigError(
        expected=f"a teacher with a {role} prompt (a prompt named {' or '.join(NAMES[role])}), or with no prompts",
        got=f"one that carries prompts named {', '.join(sorted(named))} only",
        consequence="nothing was embedded: without the prompt that the model was trained with, its vectors are others",
        remedy=f'give the text with --{role}-prompt (--{role}-prompt "" for none)',
    )
