"""Back ends that run a token model: each is one file with an `open_backend` function and one line in the registry."""

from rankdistill.inference.backends.base import Backend, BackendInfo, TokenModel
from rankdistill.inference.backends.registry import (
    BACKENDS,
    FAST,
    backend_fingerprint,
    choose,
    is_calibrated,
    is_exact,
    open_backend,
)

__all__ = [
    "BACKENDS",
    "FAST",
    "Backend",
    "BackendInfo",
    "TokenModel",
    "backend_fingerprint",
    "choose",
    "is_calibrated",
    "is_exact",
    "open_backend",
]
