"""Fixtures of the verbs' tests."""

from __future__ import annotations

from tests.cli.conftest import rankdistill as rankdistill
