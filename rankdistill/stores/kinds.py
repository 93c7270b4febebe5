"""What a teacher's scores are in, as its fingerprint tells."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

UNKNOWN = "unknown"
"""Where the fingerprint does not tell."""

CALIBRATED = "calibrated"
"""Scores of several teachers that were put on one scale; they are in no teacher's unit."""

_OF_TEACHER = {"cross_encoder": "logit"}
"""Kinds of teachers whose fingerprints need not tell."""


def score_kind_of(fingerprint: Mapping[str, Any]) -> str:
    """One of `teachers.base.ScoreKind`, `calibrated` or `unknown`."""
    if fingerprint.get("calibrate", "none") != "none":
        return CALIBRATED
    return str(fingerprint.get("score_kind") or _OF_TEACHER.get(str(fingerprint.get("kind")), UNKNOWN))
