"""The latest results by their content, in memory of bounded size."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Recent(Generic[Value]):
    """Values that were made lately; the one that was not used for the longest time goes first."""

    def __init__(self, most: float, size_of: Callable[[Value], float] = lambda value: 1.0) -> None:
        """`most` bounds the sum of the sizes. A value that is larger by itself is not kept."""
        self._most = most
        self._size_of = size_of
        self._size = 0.0
        self._values: OrderedDict[Hashable, Value] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """The value of that key; `make` is called if it is not here."""
        value = self.find(key)
        if value is None:
            value = make()  # outside the lock: two threads may both make it, and get the same
            self.keep(key, value)
        return value

    def find(self, key: Hashable) -> Value | None:
        """The value of that key; None if it is not here."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
            return self._values.get(key)

    def keep(self, key: Hashable, value: Value) -> None:
        """Nothing; the value is here from now on, and others may have had to go."""
        size = self._size_of(value)
        with self._lock:
            if key not in self._values and size <= self._most:
                self._values[key] = value
                self._size += size
                while self._size > self._most:
                    self._size -= self._size_of(self._values.popitem(last=False)[1])

    def __contains__(self, key: Hashable) -> bool:
        with self._lock:
            return key in self._values
