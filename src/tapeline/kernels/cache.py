"""A warm compile cache that cannot be written is used all the same: functions in, where numba finds their code out.

numba takes a cache folder only if it can write there, so on a read-only installation every process would compile anew.
The locator here comes before numba's own, and speaks up only for a function whose code lies in such a folder already.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call, misc, attr-defined, arg-type, import-untyped"

from __future__ import annotations

import tempfile
from pathlib import Path

from numba.core.caching import CacheImpl, InTreeCacheLocator, UserProvidedCacheLocator
from numba.core.config import CACHE_DIR


def _writable(folder: Path) -> bool:
    try:
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return False
    return True


class WarmReadOnlyLocator(UserProvidedCacheLocator):
    """Finds the folder of a function's machine code where it may only be read."""

    def __init__(self, py_func, py_file, folder: Path) -> None:
        self._py_file = py_file
        self._lineno = py_func.__code__.co_firstlineno
        self._cache_path = str(folder)

    @classmethod
    def from_function(cls, py_func, py_file):
        """Return a locator if one of the usual folders holds this function and cannot be written, else None."""
        line = py_func.__code__.co_firstlineno
        usual = ([UserProvidedCacheLocator] if CACHE_DIR else []) + [InTreeCacheLocator]
        for folder in (Path(locator(py_func, py_file).get_cache_path()) for locator in usual):
            held = folder.is_dir() and any(folder.glob(f"*{Path(py_file).stem}.{py_func.__qualname__}-{line}.*.nbi"))
            if held and not _writable(folder):
                return cls(py_func, py_file, folder)
        return None

    def ensure_cache_path(self) -> None:
        """Do nothing: the folder is there."""


CacheImpl._locator_classes.insert(0, WarmReadOnlyLocator)


def keep_read_only(compiled):
    """Return a compiled function that saves nothing where its cache is read-only: code for another processor, say."""
    cache = getattr(compiled, "_cache", None)
    if cache is not None and isinstance(cache._impl.locator, WarmReadOnlyLocator):
        cache.save_overload = lambda *_: None
    return compiled
