"""The docstrings of installed packages, read from their source files without importing them."""

from __future__ import annotations

import ast
import inspect
import warnings
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from rankdistill.errors import DataError

_SKIPPED_FOLDERS = {"tests", "test", "testing", "benchmarks", "examples", "externals", "_vendor", "vendored", "vendor"}


class Docstring(NamedTuple):
    """The docstring of a public function, class or method.

    Args:
        name: where it is defined, as in `numpy.linalg._linalg.svd`.
        text: the docstring, dedented.
    """

    name: str
    text: str


def installed(packages: Iterable[str]) -> dict[str, str]:
    """Package -> version, for those of `packages` (distribution names) that are installed."""
    versions = {}
    for package in packages:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return versions


def of_package(package: str) -> Iterator[Docstring]:
    """The docstrings of a package's public functions, classes and methods, in order of file and position.

    Test, example and vendored code is left out, and of a name defined twice only the first counts. The result depends
    on the package's files only.

    Raises:
        DataError: the package is not installed, or its installer recorded no files.
    """
    seen = set()
    for module, path in _modules(package):
        source = path.read_text(encoding="utf-8", errors="replace")
        if '"""' not in source and "'''" not in source:
            continue
        for found in _of_body(_parse(source).body, module):
            if found.name not in seen:
                seen.add(found.name)
                yield found


def _modules(package: str) -> list[tuple[str, Path]]:
    """(module name, source file), sorted by name."""
    try:
        listed = metadata.files(package)
    except metadata.PackageNotFoundError:
        listed = None
    if not listed:
        raise DataError(
            expected=f"the installed Python package {package!r} and the list of its files",
            got="no such package" if listed is None else "an empty list",
            consequence="nothing was written",
            remedy=f"pip install {package}, or leave it out of the packages",
        )
    modules = []
    for entry in listed:
        *folders, file = entry.parts
        is_test = file.startswith(("test_", "conftest"))
        if entry.suffix != ".py" or is_test or ".." in folders or _SKIPPED_FOLDERS.intersection(folders):
            continue
        parts = folders if file == "__init__.py" else [*folders, entry.stem]
        modules.append((".".join(parts), Path(str(entry.locate()))))
    return sorted(modules)


def _parse(source: str) -> ast.Module:
    """The syntax tree; an empty one where the file is no Python of this version (templates, newer syntax)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # invalid escapes in other people's strings
        try:
            return ast.parse(source)
        except (SyntaxError, ValueError):
            return ast.Module(body=[], type_ignores=[])


def _of_body(body: list[ast.stmt], prefix: str) -> Iterator[Docstring]:
    for node in body:
        if isinstance(node, ast.If | ast.Try):
            yield from _of_body(node.body + node.orelse, prefix)
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) or node.name.startswith("_"):
            continue
        name = f"{prefix}.{node.name}"
        text = ast.get_docstring(node, clean=False)
        if text:
            yield Docstring(name, inspect.cleandoc(text))
        if isinstance(node, ast.ClassDef):
            yield from _of_body(node.body, name)
