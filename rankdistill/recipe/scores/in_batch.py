"""What `in_batch_teacher: teacher` stands for: the recipe's teacher, loaded as it is where it scores the candidates."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from rankdistill import files
from rankdistill.recipe.scores.schema import BEST, EnsemblePart, Recipe, ScorePart, TeacherPart
from rankdistill.verbs.settings import is_yaml, require_any_pair, teacher_spec

FILE_NAME = "in_batch_teacher.yaml"


def loaded(recipe: Recipe) -> dict[str, Any]:
    """How the recipe wants its teacher loaded, where not as that is by itself: `kind`, `max_length`."""
    given = {"kind": recipe.teacher.kind, "max_length": recipe.score.max_length}
    return {name: value for name, value in given.items() if value not in ("auto", None)}


def require(part: TeacherPart) -> None:
    """Raise ConfigError for a teacher that may be taken and cannot score a query with documents of others."""
    for reference in _references(part):
        require_any_pair(reference, part.kind)


def reference(model: str, part: TeacherPart, score: ScorePart, folder: Path) -> str:
    """A single teacher as `in_batch_teacher` names one; a file in `folder` where it is not loaded as it is by itself.

    Its kind and length are those that scored the candidates. What runs it is exact, also where less precise numbers
    were good enough for those.
    """
    if is_yaml(model) or (part.kind == "auto" and score.max_length is None):
        return model
    spec = teacher_spec(model, part.kind, score.backend_of_members, score.max_length)
    return write(folder, {"kind": spec.kind, **spec.settings})


def write(folder: Path, settings: Mapping[str, Any]) -> str:
    """Write a teacher's settings into `folder`; the file's name is a reference of it."""
    file = folder / FILE_NAME
    files.write_text(file, yaml.safe_dump(dict(settings), sort_keys=False))
    return str(file)


def _references(part: TeacherPart) -> list[str]:
    if part.candidates is None:
        return [str(part.model)]
    used = part.candidates.values() if part.choose == BEST else [part.candidates[part.choose]]
    return [one for one in used if not isinstance(one, EnsemblePart)]  # whose members are among these
