"""What texts and vectors are known by: their content, whatever file they came from."""

from __future__ import annotations

import re
import unicodedata
from hashlib import blake2b

import numpy as np
import pyarrow as pa

from rankdistill.data.digests import Hashes, packed
from rankdistill.stores.keys import KEY_BYTES, text_hash
from rankdistill.teachers.base import Role

_WORD = re.compile(r"[^\W_]+")


def text_id(kind: Role, text: str) -> str:
    """32 hex digits from the kind and the text."""
    return blake2b(f"{kind}\0{text}".encode("utf-8", "surrogatepass"), digest_size=KEY_BYTES).hexdigest()


def vector_key(identifier: str, teacher_id: str) -> bytes:
    """The key of a vector, 16 bytes, from its text's id and the teacher's fingerprint."""
    return blake2b(bytes.fromhex(identifier) + teacher_id.encode(), digest_size=KEY_BYTES).digest()


def vector_keys(identifiers: pa.Array, teacher_id: str) -> Hashes:
    """S16[n]: `vector_key` of each id of a column."""
    return packed(vector_key(one, teacher_id) for one in identifiers.to_pylist())


def hashes_of_ids(identifiers: pa.Array) -> Hashes:
    """S16[n]: the ids of a column `text_id` in half of their length."""
    return packed(bytes.fromhex("".join(identifiers.to_pylist())))


def hashes_of_keys(keys: pa.Array) -> Hashes:
    """S16[n]: a column `key`."""
    return np.frombuffer(keys.buffers()[1], f"S{KEY_BYTES}", count=len(keys), offset=KEY_BYTES * keys.offset)


def alike_hash(text: str) -> bytes:
    """The same 16 bytes for texts that say the same: compatibility forms, case, punctuation and spaces do not count.

    A text without any letter or digit keeps its symbols.
    """
    folded = text.casefold()
    if not text.isascii():
        folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return text_hash(" ".join(_WORD.findall(folded) or folded.split()))
