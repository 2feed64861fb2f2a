"""The UNO component that Calc loads: one method per worksheet function, made from functions.json.

How Calc takes results decides the shape of this file. It compares texts by the address of a pooled
copy, which it makes of a single text and of a grid of texts, but not of the texts in a grid of
mixed cells: those equal nothing. So one cell must come as a single value, or
IF(SHOP.SENTIMENT(A2)="negative",...) would be wrong, and a grid as a grid of texts whenever it
can. Hence the methods return `any`. But an `any` made in Python cannot hold the nested sequence
that Calc takes as a grid; only the field of a struct can. A grid therefore comes as a "volatile
result" that hands Calc such a struct at once.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uno
import unohelper
from com.sun.star.sheet import ResultEvent, XVolatileResult
from org.shopsheet.calc import XShop  # type: ignore[import-not-found]

from addin.libreoffice.bridge import Bridge, cell_type, rows_key
from addin.libreoffice.neighbours import calls_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from addin.libreoffice.bridge import CalcRows

IMPLEMENTATION = "SHOP"  # Calc spells a function IMPLEMENTATION.METHOD in files: never changes
KEPT_GRIDS = 64


class Grid(unohelper.Base, XVolatileResult):
    """Rows of cells, handed to Calc as soon as it listens."""

    def __init__(self, rows: CalcRows) -> None:
        self.rows = rows

    def addResultListener(self, listener: Any) -> None:
        event = ResultEvent()
        event.Source = self
        event.Value = uno.Any(f"[][]{cell_type(self.rows)}", self.rows)
        listener.modified(event)

    def removeResultListener(self, listener: Any) -> None:
        return None


class ShopAddIn(unohelper.Base, XShop):
    """The add-in. `setattr` below gives it the methods of its interface."""

    def __init__(self, context: Any, *_: Any) -> None:
        # Calc keeps every volatile result until the document is closed. Handing out the same one
        # for the same rows keeps a recalculation from adding to them.
        self._grids: OrderedDict[tuple[str | bytes, ...], Grid] = OrderedDict()

    def _call(self, function: str, document: Any, args: tuple[Any, ...]) -> Any:
        value = BRIDGE.call(function, args, lambda: calls_of(document))
        if not isinstance(value, tuple):
            return value
        if len(value) == 1 and len(value[0]) == 1:
            return value[0][0]
        key = rows_key(value)
        grid = self._grids.pop(key, None) or Grid(value)
        self._grids[key] = grid
        if len(self._grids) > KEPT_GRIDS:
            self._grids.popitem(last=False)
        return grid


def _method(function: str) -> Callable[..., Any]:
    def call(self: ShopAddIn, document: Any, *args: Any) -> Any:
        return self._call(function, document, args)

    return call


_FOLDER = Path(__file__).resolve().parent
_FUNCTIONS = json.loads((_FOLDER / "functions.json").read_text(encoding="utf-8"))
BRIDGE = Bridge(
    {name: [arg["zero_is_empty"] for arg in args] for name, args in _FUNCTIONS.items()},
    json.loads((_FOLDER / "settings.json").read_text(encoding="utf-8")),
)
for _name in _FUNCTIONS:
    setattr(ShopAddIn, _name, _method(_name))

g_ImplementationHelper = unohelper.ImplementationHelper()
g_ImplementationHelper.addImplementation(ShopAddIn, IMPLEMENTATION, ("com.sun.star.sheet.AddIn",))
