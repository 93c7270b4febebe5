"""A bundle of the tiny towers."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def made(student: str, teacher: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole bundle that points to its document model."""
    from rankdistill.bundles.making import bundle

    return bundle(student, teacher, tmp_path_factory.mktemp("bundle") / "bundle")
