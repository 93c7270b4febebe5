"""Teachers: what scores are distilled from."""

from rankdistill.teachers.base import EmbeddingTeacher, MeteredTeacher, PairTeacher, ScoreKind
from rankdistill.teachers.registry import TEACHERS, TeacherSpec, load, specify

__all__ = [
    "TEACHERS",
    "EmbeddingTeacher",
    "MeteredTeacher",
    "PairTeacher",
    "ScoreKind",
    "TeacherSpec",
    "load",
    "specify",
]
