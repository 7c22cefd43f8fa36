"""What a command says that ends because the memory does."""

from __future__ import annotations

import sys

# What the loader of shared libraries says where there is no room for one.
_NO_ROOM = ("failed to map segment", "cannot allocate memory", "Cannot allocate memory")
_FIX = "give it less at once, end other programs, or allow more memory (ulimit -v)"


def shortage(error: BaseException) -> str:
    """The message of an error that says that there is no memory left; empty for another error."""
    if isinstance(error, MemoryError):
        return f"memory: there is not enough for this; {_FIX}"
    if isinstance(error, ImportError) and any(words in str(error) for words in _NO_ROOM):
        return f"memory: there is not enough to load {error.name or 'a library'}; {_FIX}"
    if isinstance(error, RuntimeError) and "torch" in sys.modules:
        from ..devices import is_out_of_memory

        return f"memory: there is not enough for this; {_FIX}" if is_out_of_memory(error) else ""
    return ""
