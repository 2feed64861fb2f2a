"""Warnings of libraries off, for several threads at once (warnings.catch_warnings is for one)."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_lock = threading.Lock()
_inside = 0
_caught = warnings.catch_warnings()


@contextmanager
def quiet() -> Iterator[None]:
    """Nothing warns within; the first thread to enter switches off, the last to leave on again."""
    global _inside, _caught
    with _lock:
        if _inside == 0:
            _caught = warnings.catch_warnings()
            _caught.__enter__()
            warnings.simplefilter("ignore")
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if _inside == 0:
                _caught.__exit__(None, None, None)
