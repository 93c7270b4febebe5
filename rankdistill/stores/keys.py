"""Content keys: a score belongs to two texts and a teacher, whatever their ids."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from hashlib import blake2b

KEY_BYTES = 16


def text_hash(text: str) -> bytes:
    """BLAKE2b of the text (UTF-8), 16 bytes."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=KEY_BYTES).digest()


def pair_key(query_hash: bytes, document_hash: bytes, teacher_id: str) -> bytes:
    """The key of a score, 16 bytes, from the two text hashes and the teacher's fingerprint."""
    return blake2b(query_hash + document_hash + teacher_id.encode(), digest_size=KEY_BYTES).digest()


def text_hasher(text_of: Callable[[str], str], size: int = 1 << 16) -> Callable[[str], bytes]:
    """A function id -> `text_hash(text_of(id))` that remembers the last `size` answers."""

    @lru_cache(maxsize=size)
    def hash_of(identifier: str) -> bytes:
        return text_hash(text_of(identifier))

    return hash_of


def unit_digest(keys: list[bytes]) -> str:
    """A short name (hex) for a work unit, from the keys in it."""
    return unit_hasher(b"".join(keys)).hexdigest()


def unit_hasher(keys: bytes = b"") -> blake2b:
    """What gives `unit_digest` of keys that come bit by bit."""
    return blake2b(keys, digest_size=8)
