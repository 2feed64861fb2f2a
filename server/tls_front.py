"""HTTPS for the add-in: takes TLS connections on localhost and passes their bytes to the server.

Waitress speaks no TLS. Nothing is read or changed on the way, so all checks (token, Host, Origin,
sizes, waiting times) stay where they are: in the HTTP server behind. When that ends a connection,
its TLS side ends too, and the other way round. A client that ends only its sending side ends the
connection: TLS connections of asyncio know no half that stays open, and browsers use none.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import ssl
import threading
from contextlib import suppress

from server.certificates import ADDRESSES, INSTALL_COMMAND
from server.listener import PortTaken, listen_socket

log = logging.getLogger(__name__)

MAX_CONNECTIONS = 256  # of a few browsers and Excel windows, each with some six
HANDSHAKE_S = 10.0
CONNECT_S = 5.0
STUCK_S = 120.0  # how long a receiver may take nothing
FINISH_S = 5.0  # what open connections get when we stop
CHUNK_BYTES = 64 * 1024
NO_FILES_PAUSE_S = 0.2


class TlsFront:
    """Listens as soon as it is made; serves in a thread of its own from `start` to `stop`."""

    def __init__(
        self,
        context: ssl.SSLContext,
        port: int,
        target: tuple[str, int],
        *,
        max_connections: int = MAX_CONNECTIONS,
        handshake_s: float = HANDSHAKE_S,
        stuck_s: float = STUCK_S,
    ) -> None:
        """Port 0 takes a free one; `target` is the HTTP server's address and port.

        Raises: PortTaken.
        """
        self._context = context
        self._target = target
        self._max_connections = max_connections
        self._handshake_s = handshake_s
        self._stuck_s = stuck_s
        self._listening = _listen(port)
        self.port: int = self._listening[0].getsockname()[1]
        self.url = f"https://localhost:{self.port}"
        self._connections: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._run, name="tls-front", daemon=True)
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None

    @property
    def connections(self) -> int:
        """How many are open now."""
        return len(self._connections)

    def start(self) -> None:
        """Nothing; connections are served."""
        self._thread.start()
        self._ready.wait()

    def stop(self) -> None:
        """Nothing; may be called from any thread, and again.

        What the HTTP server has already answered is still sent, for a few seconds.
        """
        if self._loop is not None and self._stopping is not None:
            with suppress(RuntimeError):  # the loop has closed: it was stopped before
                self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join(2 * FINISH_S)
        for listening in self._listening:
            listening.close()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except Exception:
            log.exception("HTTPS for the add-in has stopped; HTTP goes on")
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        self._ready.set()
        accepting = [asyncio.create_task(self._accept(each)) for each in self._listening]
        await self._stopping.wait()
        for task in accepting:
            task.cancel()
        await asyncio.gather(*accepting, return_exceptions=True)
        for listening in self._listening:
            listening.close()
        if self._connections:
            await asyncio.wait(self._connections, timeout=FINISH_S)
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        failing = False
        while True:
            try:
                connection, _ = await loop.sock_accept(listening)
            except OSError as error:  # no file descriptors left, or the caller has gone again
                if not failing:
                    log.warning("HTTPS connections cannot be accepted: %s", error)
                failing = True
                await asyncio.sleep(NO_FILES_PAUSE_S)
                continue
            failing = False
            if self.connections >= self._max_connections:
                log.info("an HTTPS connection was refused: %d are open", self.connections)
                connection.close()
                continue
            task = asyncio.create_task(self._forward(connection))
            self._connections.add(task)
            task.add_done_callback(self._connections.discard)

    async def _forward(self, connection: socket.socket) -> None:
        """Nothing, when the connection has ended."""
        writers: list[asyncio.StreamWriter] = []
        try:
            client_reader, client_writer = await self._handshake(connection)
            writers.append(client_writer)
            async with asyncio.timeout(CONNECT_S):
                server_reader, server_writer = await asyncio.open_connection(*self._target)
            writers.append(server_writer)
            pumps = [
                asyncio.create_task(self._pump(client_reader, server_writer)),
                asyncio.create_task(self._pump(server_reader, client_writer)),
            ]
            try:
                await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for pump in pumps:
                    pump.cancel()
                await asyncio.gather(*pumps, return_exceptions=True)
            for writer in reversed(writers):  # sends what is still in its buffer
                writer.close()
            async with asyncio.timeout(self._stuck_s):
                await client_writer.wait_closed()
        except OSError as error:  # also TLS errors and time-outs: the caller's or a stop's doing
            log.debug("an HTTPS connection ended: %s", error)
        finally:
            for writer in writers:
                writer.transport.abort()

    async def _handshake(
        self, connection: socket.socket
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Raises: OSError, which TLS errors and time-outs are."""
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=CHUNK_BYTES)
        protocol = asyncio.StreamReaderProtocol(reader)
        try:
            transport, _ = await loop.connect_accepted_socket(
                lambda: protocol,
                connection,
                ssl=self._context,
                ssl_handshake_timeout=self._handshake_s,
            )
        except BaseException:
            connection.close()
            raise
        return reader, asyncio.StreamWriter(transport, protocol, reader, loop)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Nothing, when the sender has ended or the receiver takes nothing more."""
        with suppress(OSError):
            while data := await reader.read(CHUNK_BYTES):
                writer.write(data)
                async with asyncio.timeout(self._stuck_s):
                    await writer.drain()


def _listen(port: int) -> list[socket.socket]:
    """A socket for each address of `localhost` that this machine has, all on one port.

    Browsers try ::1 first where there is one: with that left to another program, Excel would load
    our add-in from there.
    Raises: PortTaken.
    """
    listening: list[socket.socket] = []
    try:
        for address in ADDRESSES:
            try:
                listening.append(listen_socket(address, port))
            except (PortTaken, OSError) as error:
                if ":" in address and _is_no_address_here(error.__cause__ or error):
                    continue
                raise PortTaken(
                    f"Port {port} of {address}, from which Excel loads the add-in, is used by "
                    "another program or may not be used. Stop that program; or set "
                    f"SHOPSHEET_HTTPS_PORT to a free port and run `{INSTALL_COMMAND}` again."
                ) from error
            port = listening[0].getsockname()[1]
            listening[-1].setblocking(False)
    except PortTaken:
        for each in listening:
            each.close()
        raise
    return listening


def _is_no_address_here(error: BaseException | None) -> bool:
    """Whether the system lacks the address itself (IPv6 switched off), not just the port."""
    absent = {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, getattr(errno, "WSAEADDRNOTAVAIL", -1)}
    absent.add(getattr(errno, "WSAEAFNOSUPPORT", -1))
    return isinstance(error, OSError) and error.errno in absent
