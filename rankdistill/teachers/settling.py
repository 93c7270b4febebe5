"""Which back end `fast` is for a teacher whose numbers are stored: that of the numbers which are there already."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib import import_module
from typing import Any

from rankdistill.inference.backends import BACKENDS, FAST, is_calibrated
from rankdistill.inference.calibration import Pairs
from rankdistill.inference.fastest import variants
from rankdistill.notes import note
from rankdistill.teachers.base import PairTeacher
from rankdistill.teachers.registry import TEACHERS, TeacherSpec


def settle(
    spec: TeacherSpec, is_held: Callable[[Mapping[str, Any]], bool], draw: Callable[[], Pairs]
) -> tuple[TeacherSpec, PairTeacher]:
    """The teacher, loaded, and its specification with a back end's name where that was `fast`.

    A store that holds numbers of this model by one back end goes on with it: two back ends are two teachers. So on
    another machine, where another one is faster, nothing begins anew; nor do the workers of a cluster choose each.

    Args:
        spec: as it was asked for.
        is_held: whether the store holds numbers of a teacher with this fingerprint.
        draw: pairs to calibrate with.
    """
    if spec.settings.get("backend") != FAST:
        spec = spec.with_calibration(draw)
        return spec, spec.load()
    settings = import_module(TEACHERS[spec.kind]).Settings.model_fields
    if "calibration" in settings and spec.settings.get("calibration") is None:
        spec = _with(spec, calibration=[list(pair) for pair in draw()])
    plain = _with(spec, backend="torch").load()
    pairs: Pairs = spec.settings.get("calibration") or ()
    for name, fingerprint in variants(plain.fingerprint, pairs):
        if is_held(fingerprint):
            note(f"fast: the store was begun with {name}, and goes on with it")
            spec = _named(spec, name, settings)
            return spec, spec.load()
    teacher = spec.load()
    found = teacher.fingerprint
    is_half = found.get("backend") == "torch" and found.get("dtype") == "bfloat16"
    return _named(spec, "torch-bf16" if is_half else str(found.get("backend")), settings), teacher


def _named(spec: TeacherSpec, name: str, settings: Mapping[str, Any]) -> TeacherSpec:
    """`spec` with the back end `name`, in the words of its kind's settings."""
    known = name if name in BACKENDS else "torch"  # a static table, or sentence-transformers itself
    if "dtype" in settings:
        return _with(spec, backend="torch", dtype=BACKENDS[known].precision)
    return _with(spec, backend=known) if is_calibrated(known) else _with(spec, backend=known, calibration=None)


def _with(spec: TeacherSpec, **settings: Any) -> TeacherSpec:
    return replace(spec, settings={**spec.settings, **settings})
