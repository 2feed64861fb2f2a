"""Calls from the command line: through the running server, or an engine in this process if none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from server.running import look
from server.settings import Settings
from udfs.client import DEFAULT_URL, Client
from udfs.errors import ShopsheetError

if TYPE_CHECKING:
    from server.engine import Engine

LONG_TIMEOUT_S = 900.0  # a column takes longer than a cell


class AnswerLike(Protocol):
    """What became of one call: a value or an error, and the model that gave it."""

    @property
    def value(self) -> Any: ...

    @property
    def error(self) -> ShopsheetError | None: ...

    @property
    def model(self) -> str | None: ...


class Caller(Protocol):
    """Something that answers calls: a server or an engine. `where` says which, for a person."""

    where: str

    def answers(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> Sequence[AnswerLike]:
        """One answer per call, in order. Raises: NotReady if none can be given now."""

    def call_many(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        """Value or ShopsheetError of each call, in order. Raises: NotReady."""

    def call(self, function: str, *args: Any) -> Any:
        """The value of one call. Raises: ShopsheetError."""


class _Caller:
    def __init__(self, where: str, answers: Any) -> None:
        self.where = where
        self.answers = answers

    def call_many(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        return [answer.error or answer.value for answer in self.answers(calls)]

    def call(self, function: str, *args: Any) -> Any:
        answer = self.answers([(function, args)])[0]
        if answer.error is not None:
            raise answer.error
        return answer.value


@contextmanager
def open_caller(settings: Settings, use_store: bool = True) -> Iterator[Caller]:
    """A caller for the server that is running, else for an engine that is started here.

    Where SHOPSHEET_URL names a server, that server answers or the call fails: who names a server
    does not want somebody else's answer. Without `use_store` everything is computed anew.
    Raises: ShopsheetError if the server refuses us or the model cannot be loaded.
    """
    options: dict[str, Any] = {"timeout_s": LONG_TIMEOUT_S, "use_store": use_store}
    with Client.from_environment(**options) as client:
        if client.url != DEFAULT_URL:
            client.get("/v1/functions")  # says what is wrong before any work is done
            yield _Caller(f"the server at {client.url}", client.answers)
            return
    with Client.from_environment(**options, url=settings.url) as client:
        if look(client.url).shopsheet:
            client.get("/v1/functions")
            yield _Caller(f"the server at {client.url}", client.answers)
            return
    from server.engine import Engine  # heavy: numpy and the backend of the model

    with Engine(settings) as engine:
        engine.wait_ready(settings.load_timeout_s)

        yield engine_caller(engine, "this process", use_store)


def engine_caller(engine: Engine, where: str, use_store: bool = True) -> Caller:
    """A caller for an engine of this process; `where` says so to a person."""

    def answers(calls: Sequence[tuple[str, Sequence[Any]]]) -> Sequence[AnswerLike]:
        return engine.calls(calls, use_store=use_store)

    return _Caller(where, answers)
