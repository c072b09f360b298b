"""The compile cache: machine code on disk, in a folder named by the digest of all that shaped it.

Numba stamps a cached function with its own file's date, which misses edits of everything that it calls. Here the
folder's name is a digest of the sources of `cells` and `kernels` and of the versions of Numba and llvmlite, and a
cell's rules are in its type's name (see `rule`), so that an edit of either is another entry. The user's own Numba
caches stay where they are.
"""

import atexit
import hashlib
import os
import pathlib
import shutil
import sys
import tempfile
from contextlib import suppress
from functools import cache

import llvmlite
import numba
from numba.core.caching import CompileResultCacheImpl, FunctionCache, _CacheLocator

KEPT = 3  # folders of other versions that are left beside the current one


@cache
def sources_digest(floors=("cells", "kernels")):
    """Digest of the sources of floors (by default of those that become machine code), and of the compilers."""
    house = pathlib.Path(__file__).parent.parent
    digest = hashlib.sha256(f"{numba.__version__} {llvmlite.__version__} {sys.version}".encode())
    for floor in floors:
        for path in sorted((house / floor).glob("*.py")):
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


@cache
def folder():
    """The cache folder: RNNDYN_CACHE_DIR, else the user's cache, else a temporary one of this process."""
    home = os.environ.get("RNNDYN_CACHE_DIR")
    if not home:
        base = os.environ.get("LOCALAPPDATA") or os.environ.get("XDG_CACHE_HOME") or "~/.cache"
        home = os.path.join(os.path.expanduser(base), "rnndyn")
    path = pathlib.Path(home) / sources_digest()[:16]
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError:
        temporary = tempfile.mkdtemp(prefix="rnndyn-")
        atexit.register(shutil.rmtree, temporary, ignore_errors=True)
        return pathlib.Path(temporary)
    return path


class _Locator(_CacheLocator):
    def get_cache_path(self):
        return str(folder())

    def get_source_stamp(self):
        return sources_digest()

    def get_disambiguator(self):
        return None

    @classmethod
    def from_function(cls, function, path):
        return cls()


class Cacheable:
    """Where a function's machine code is kept."""

    def __init__(self, function):
        code = function.__code__
        self._lineno = code.co_firstlineno
        self._locator = _Locator()
        name = pathlib.Path(code.co_filename).stem
        self._filename_base = self.get_filename_base(f"{name}.{function.__qualname__}", getattr(sys, "abiflags", ""))


class _Implementation(Cacheable, CompileResultCacheImpl):
    pass


class Tolerant:
    """A cache that never stands in the way: what cannot be read is compiled, what cannot be written is not kept."""

    def load_overload(self, sig, target_context):
        try:
            found = super().load_overload(sig, target_context)
            # two processes that write to one index at once may give two signatures, of two cells, one file
            return found if found and tuple(found.signature.args) == tuple(getattr(sig, "args", sig)) else None
        except Exception:
            return None

    def save_overload(self, sig, data):
        try:
            super().save_overload(sig, data)
        except OSError:
            return
        except Exception:  # an index that cannot be read: begin it anew
            with suppress(Exception):
                self.flush()
                super().save_overload(sig, data)


class _Cache(Tolerant, FunctionCache):
    _impl_class = _Implementation


class LazyCache:
    """A `_Cache` made at its first use: importing the kernels neither reads their sources nor touches the disk."""

    def __init__(self, function):
        self._function = function
        self._made = None

    def __getattr__(self, name):
        if self._made is None:
            self._made = _Cache(self._function)
        return getattr(self._made, name)


def cached(dispatcher):
    """Give a dispatcher this cache."""
    dispatcher._cache = LazyCache(dispatcher.py_func)
    return dispatcher
