"""What a capability is: cells to model input, model output to cells."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from server.knowledge.model import NO_KNOWLEDGE, Knowledge
from server.settings import Settings
from udfs.errors import BadInput, CellError, ShopsheetError

# What came back for one cell: the stored form of the model's output, an error, or None where
# nothing was asked.
Outcome: TypeAlias = bytes | ShopsheetError | None
# What runs in the worker's thread: model and items in, one result or error per item out.
Operation: TypeAlias = Callable[[Any, Sequence[str]], list[bytes | ShopsheetError]]

KNOWLEDGE = "shop knowledge"  # what the engine adds to the arguments of those that know


def knowledge_in(args: Mapping[str, Any]) -> Knowledge:
    """What is known of the user's shop, for this call."""
    found: Knowledge = args.get(KNOWLEDGE, NO_KNOWLEDGE)
    return found


def cost_of(item: str) -> float:
    """Expected work of an item, in characters: a text has a few beside those it shows."""
    return len(item) + 16.0


def column_of(grid: Sequence[Sequence[Any]], arg_name: str) -> list[Any]:
    """The cells of a range that is one column or one row.

    Raises: BadInput if it is neither.
    """
    if len(grid) == 1:
        return list(grid[0])
    if len(grid[0]) == 1:
        return [row[0] for row in grid]
    raise BadInput(
        f"{arg_name} is a range of {len(grid):,} by {len(grid[0]):,} cells; expected one column."
    )


def grid_like(
    grid: Sequence[Sequence[Any]],
    outcomes: Sequence[Outcome],
    show: Callable[[bytes], Any],
) -> list[list[Any]]:
    """A grid of the shape of `grid`: what `show` makes of each stored outcome.

    A cell that failed shows its error, one that was an error stays that error, an empty one stays
    empty.
    """
    left = iter(outcomes)
    return [[_shown(cell, next(left), show) for cell in row] for row in grid]


def _shown(cell: Any, outcome: Outcome, show: Callable[[bytes], Any]) -> Any:
    if isinstance(outcome, bytes):
        return show(outcome)
    if isinstance(outcome, ShopsheetError):
        return outcome.to_cell()
    return cell if isinstance(cell, CellError) else ""


class Capability(ABC):
    """One thing that a model can do, for one worksheet function or several.

    A capability keeps no state: `run` is called in the worker's thread, the rest in the threads of
    the requests.
    """

    name: str  # as the catalogue says it
    model: str  # name of the worker that owns the model
    needs_models = False  # whether `resolve` must be given what the engine has loaded
    stored_as: str  # what `run` makes; part of the store key, so capabilities may share it
    knows: tuple[str, ...] = ()  # the sheets of the knowledge file that can change its answers

    def resolve(self, args: Mapping[str, Any], settings: Settings) -> Mapping[str, Any]:
        """The arguments, with what they name on this machine; mostly as they are.

        Where `needs_models` is set, args["loaded"] are the entries of Engine.models.

        Raises: BadInput if there is nothing of that name.
        """
        return args

    def signed(self, identity: str, args: Mapping[str, Any]) -> str:
        """The model that answers, as results name it: more than the encoder where a head of the
        user's own has its say."""
        return identity

    @abstractmethod
    def prepare(self, args: Mapping[str, Any]) -> list[str | None]:
        """Per cell, row by row, what the model must read; None where it need not be asked."""

    def options(self, args: Mapping[str, Any]) -> tuple[str, ...]:
        """What else the model's output depends on; part of the store key."""
        return ()

    def operation(self, args: Mapping[str, Any]) -> Operation:
        """What is to be run for these arguments; equal for those that may share a batch."""
        return self.run

    def further(
        self, model: Any, args: Mapping[str, Any], outcomes: Sequence[Outcome]
    ) -> Sequence[str]:
        """What else must be read, known only from the outcomes of `prepare`; often nothing."""
        return ()

    @abstractmethod
    def run(self, model: Any, items: Sequence[str]) -> list[bytes | ShopsheetError]:
        """Per item the model's output as it is stored, or the error of that item alone."""

    @abstractmethod
    def is_intact(self, model: Any, stored: bytes) -> bool:
        """Whether a stored output can be one of this model."""

    @abstractmethod
    def answer(
        self, model: Any, args: Mapping[str, Any], outcomes: Sequence[Outcome]
    ) -> list[list[Any]]:
        """The grid of the answer; `outcomes` stand in the order of `prepare`, then `further`."""
