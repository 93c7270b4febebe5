"""Text of unknown encoding: UTF-8 unless the bytes say otherwise, and then what they say or most look like."""

from __future__ import annotations

import codecs
import gzip
import hashlib
import io
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TextIO, cast

from rankdistill._extras import require
from rankdistill.data.values import RowError
from rankdistill.errors import ConfigError, DataError

UTF_8 = "utf-8"

MOST_COMMON = "cp1252"
"""Taken where the bytes look as much like it as like anything else: several encodings of the West share most bytes."""

CANDIDATES = (
    MOST_COMMON, "cp1250", "cp1251", "koi8_r", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "cp932", "euc_jp",
    "gb18030", "big5", "cp949", "mac_roman",
)  # fmt: skip
"""What is looked for in bytes that are no UTF-8."""

_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
"""Byte order mark -> encoding; those of UTF-32 first, as one begins like UTF-16's."""

_SAMPLE = 1 << 16
_CHUNK = 1 << 20
_GZIP = b"\x1f\x8b"

_CONTROL = re.compile(b"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
"""Bytes that no text has; an escape (0x1b) begins the colours of a terminal."""

_LEAST_CONTROL = 0.005
"""From this share of them on a file is binary."""

_FEW_BROKEN = 0.1
"""Broken sequences, of those that are none of ASCII, up to which bytes are UTF-8 with errors and not something else."""


@dataclass(frozen=True)
class Inspected:
    """What a pass over a file found.

    Args:
        digest: SHA-256 (hex) of its bytes, unpacked.
        encoding: as Python names it.
    """

    digest: str
    encoding: str


def require_known(encoding: str | None) -> None:
    """Raise ConfigError for the name of no encoding of texts."""
    try:
        if encoding is not None and not codecs.lookup(encoding)._is_text_encoding:
            raise LookupError(encoding)
    except LookupError as error:
        raise ConfigError(
            expected="the name of an encoding, such as utf-8, cp1252 or shift_jis",
            got=repr(encoding),
            consequence="nothing was read",
            remedy="leave it out to have it found",
        ) from error


def inspect(path: Path, encoding: str | None = None) -> Inspected:
    """Hash a file of text in one pass and find its encoding, unless it is given.

    Raises:
        DataError: the file cannot be read, or is binary.
        MissingDependencyError: it is no UTF-8, and the library that finds encodings is not installed.
    """
    digest, decoder = hashlib.sha256(), codecs.getincrementaldecoder(UTF_8)()
    head, sample, is_utf_8 = b"", b"", True
    try:
        with opened(path) as stream:
            while chunk := stream.read(_CHUNK):
                digest.update(chunk)
                head = head or chunk[:_SAMPLE]
                if not chunk.isascii() and len(sample) < _SAMPLE:
                    sample += b"\n".join(line for line in chunk.split(b"\n") if not line.isascii())[:_SAMPLE]
                is_utf_8 = is_utf_8 and _goes_on(decoder, chunk)
    except (OSError, EOFError, zlib.error) as error:
        raise _unreadable(path, str(error)) from error
    if encoding is None:
        try:
            encoding = _found(head, sample, is_utf_8 and _goes_on(decoder, b"", final=True))
        except RowError as error:
            raise _unreadable(path, str(error)) from error
    return Inspected(digest.hexdigest(), encoding)


def text_of(data: bytes, encoding: str | None = None, declared: str | None = None) -> tuple[str, str]:
    r"""A whole file's text, its lines ended by `\n`, and its encoding.

    Args:
        data: the bytes.
        encoding: theirs; None: it is found.
        declared: what the text says of itself, which counts where it is no UTF-8.

    Raises:
        RowError: the bytes are binary, or none of the encoding.
    """
    if encoding is None:
        sample = b"\n".join(line for line in data.split(b"\n") if not line.isascii())[:_SAMPLE]
        encoding = _found(data[:_SAMPLE], sample, _is_utf_8(data), declared)
    try:
        text = data.decode("utf-8-sig" if encoding == UTF_8 else encoding)
    except (UnicodeError, LookupError) as error:
        raise RowError(f"broken {encoding}: {error}") from error
    return text.replace("\r\n", "\n").replace("\r", "\n"), encoding


def read_bytes(path: Path) -> bytes:
    """The bytes of a file; RowError where it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise RowError(f"cannot be read: {error.strerror or error}") from error


@contextmanager
def text_lines(path: Path, encoding: str) -> Iterator[TextIO]:
    """The file as a stream of lines, their ends as they are. A broken byte of UTF-8 becomes half a surrogate pair.

    So it is found by who looks at the value that it stands in.

    Raises:
        DataError: the file cannot be read, or its bytes are none of the encoding.
    """
    name = "utf-8-sig" if encoding == UTF_8 else encoding
    errors = "surrogateescape" if encoding.startswith(UTF_8) else "strict"
    try:
        with opened(path) as stream, io.TextIOWrapper(stream, name, errors, newline="") as text:
            yield text
    except (OSError, EOFError, zlib.error, UnicodeError) as error:
        raise _unreadable(path, str(error)) from error


def opened(path: Path) -> IO[bytes]:
    """The bytes of a file, unpacked where its name ends in `.gz`."""
    return cast(IO[bytes], gzip.open(path, "rb")) if path.suffix == ".gz" else path.open("rb")


def _found(head: bytes, sample: bytes, is_utf_8: bool, declared: str | None = None) -> str:
    """The encoding of bytes that begin with `head` and have `sample` beyond ASCII; RowError for binary ones."""
    for mark, name in _MARKS.items():
        if head.startswith(mark):
            return name
    if head.startswith(_GZIP):
        raise RowError("gzip data; give it a name that ends in .gz")
    if b"\0" in head or len(_CONTROL.findall(head)) > _LEAST_CONTROL * len(head):
        raise RowError("a binary file, or UTF-16 without a mark (--encoding says which)")
    if is_utf_8 or _nearly_utf_8(sample):
        return UTF_8
    if declared is not None and _decodes(sample, declared):
        return declared
    normalizer = require("charset_normalizer", "reading text that is no UTF-8")
    found = normalizer.from_bytes(sample, cp_isolation=list(CANDIDATES))
    best = found.best()
    if best is None:
        raise RowError("a binary file, or text in an encoding that is not known (--encoding says which)")
    as_good = [one for one in found if (one.chaos, -one.coherence) <= (best.chaos, -best.coherence)]
    names = {name for one in as_good for name in (one.encoding, *one.could_be_from_charset)}
    return MOST_COMMON if MOST_COMMON in names else str(best.encoding)


def _goes_on(decoder: codecs.IncrementalDecoder, chunk: bytes, final: bool = False) -> bool:
    try:
        decoder.decode(chunk, final)
    except UnicodeDecodeError:
        return False
    return True


def _is_utf_8(data: bytes) -> bool:
    return _decodes(data, UTF_8)


def _decodes(data: bytes, encoding: str) -> bool:
    try:
        data.decode(encoding)
    except (UnicodeError, LookupError):
        return False
    return True


def _nearly_utf_8(sample: bytes) -> bool:
    """Whether few of the sequences beyond ASCII are broken: such a file was cut or joined, and is no other encoding."""
    text = sample.decode(UTF_8, "surrogateescape")
    beyond = [letter for letter in text if letter > "\x7f"]
    broken = sum("\udc80" <= letter <= "\udcff" for letter in beyond)
    return broken <= _FEW_BROKEN * len(beyond)


def _unreadable(path: Path, got: str) -> DataError:
    return DataError(
        expected=f"a file of text that can be read: {path}",
        got=got,
        consequence="nothing was written",
        remedy="give the right file; --encoding names its encoding where that is not found",
    )
