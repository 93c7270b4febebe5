"""What manifests call the conversations that a student was trained on, and what belongs to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

SESSIONS, DOCUMENTS, TEACHER_OF_REWRITES = "sessions", "collection", "teacher_of_rewrites"
"""Inputs of a student: hash of the sessions, of the collection of their documents, and of an alignment's teacher."""

_REWRITES, _QUESTIONS = "rewrites", "questions"

MADE_IN_MEMORY = ("embeddings", "documents", "dev_texts", "dev_qrels")
"""Inputs of a student of conversations whose hashes are those of no files: its queries are made of the sessions."""


@dataclass(frozen=True)
class TrainedOn:
    """The conversations of a student, as its manifest names them.

    Args:
        sessions: hash of the sessions.
        documents: hash of the collection of their documents.
        split: whose questions were trained on.
        rewrites: name -> hash of the rewrites of these questions (`Sessions.rewrites_hash`).
    """

    sessions: str
    documents: str
    split: str
    rewrites: Mapping[str, str]


def name_of_rewrites(split: str, name: str) -> str:
    """The input of a student that is the hash of the rewrites `name` of the questions of `split`."""
    return f"{_REWRITES}:{split}:{name}"


def name_of_questions(split: str) -> str:
    """The input of a student that read the questions of `split` and no rewrite; its value is the sessions' hash."""
    return f"{_QUESTIONS}:{split}"


def trained_on(inputs: Mapping[str, str]) -> TrainedOn | None:
    """What the inputs of a student's manifest say of conversations; None where it read none."""
    if SESSIONS not in inputs or DOCUMENTS not in inputs:
        return None
    found = {name: key for name, key in inputs.items() if name.startswith(f"{_REWRITES}:")}
    questions = (name for name in inputs if name.startswith(f"{_QUESTIONS}:"))
    split = next((name.split(":", 2)[1] for name in (*found, *questions)), "")
    rewrites = {name.split(":", 2)[2]: key for name, key in found.items()}
    return TrainedOn(inputs[SESSIONS], inputs[DOCUMENTS], split, rewrites)


def on_disk(inputs: Mapping[str, str]) -> dict[str, str]:
    """The inputs of a student without those that files have no hash of."""
    if trained_on(inputs) is None:
        return dict(inputs)
    made = {name for name in inputs if name in MADE_IN_MEMORY or name.endswith(("/texts", "/qrels"))}
    return {name: key for name, key in inputs.items() if name not in made}
