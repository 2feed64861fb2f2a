"""EVAL and LIFT_TEST: columns in, a table of what they prove out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from server.capabilities.one_table import TableCapability
from udfs.kinds import to_wire


class Deciding(TableCapability):
    """A table of statistics on columns that stand side by side."""

    model = "decisions"
    columns: tuple[str, ...]

    def item(self, args: Mapping[str, Any]) -> dict[str, Any]:
        return {name: to_wire(args[name]) for name in self.columns if args[name] is not None}


class Eval(Deciding):
    """How good predictions were."""

    name = stored_as = "evaluate"
    columns = ("predicted", "actual")


class LiftTest(Deciding):
    """What a campaign changed, beside its control."""

    name = stored_as = "lift_test"
    columns = ("outcome", "treated", "segment")
