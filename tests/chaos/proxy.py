"""A TCP proxy that does to connections what networks do: one link per server, faults on command, from any thread.

    with Proxy() as proxy:
        link = proxy.link("postgres", port_of_the_server, PostgresFramer)
        … clients connect to 127.0.0.1:link.port …
        link.suffer(Fault(delay_s=0.2))     # lasts until heal(): delay, rate, black hole, in one direction or both
        link.reset()                        # at once: cut() FIN, reset() RST, half_close(); they tell how many it hit
        trap = link.set_trap(Trap(COMMIT, forward=1.0))     # once, at the next COMMIT or produce request
        trap.sprung.wait(10)
        keep = link.keep(Keep(BATCH, client))               # each batch of this client, until let_go(keep)
        link.down(); link.up()              # nobody listens; what was open is reset

"up" is from the client to the server, "down" is back.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Self, TypeVar

from tests.chaos.connection import DOWN, HOST, UP, Connection, Direction, End, Trap, bit_flipped
from tests.chaos.frames import Framer, Plain
from tests.chaos.late import Keep

__all__ = ["HOST", "Fault", "Link", "Proxy", "Trap"]

LARGE = 512
"""Bytes of a piece in which a bit may be flipped."""
T = TypeVar("T")


@dataclass(frozen=True)
class Fault:
    """What a link suffers until it is healed."""

    delay_s: float = 0.0
    """Each piece arrives so much later."""
    rate: float | None = None
    """Bytes a second that trickle through."""
    black_hole: bool = False
    """Nothing arrives; what was sent meanwhile arrives when the link is healed, as after lost packets."""
    direction: Direction | None = None
    """Both if None."""

    def holds(self, direction: str) -> bool:
        return self.direction in (None, direction)


NO_FAULT = Fault()


class Link:
    """One server behind the proxy. All methods may be called from any thread, and return when it is done."""

    def __init__(self, proxy: Proxy, name: str, target: int, framer: Callable[[], Framer], port: int) -> None:
        self.name = name
        self.target = target
        """The server's port; may change while the link is there."""
        self.port = port
        self.fault = NO_FAULT
        self.passed = {UP: 0, DOWN: 0}
        """Bytes that went through so far."""
        self.opened = 0
        """Connections so far."""
        self.framer = framer
        self._proxy = proxy
        self._open: set[Connection] = set()
        self._traps: list[Trap] = []
        self._keeps: list[Keep] = []
        self._flips = {UP: 0, DOWN: 0}
        self._changed = asyncio.Event()
        self._server: asyncio.Server | None = None

    @property
    def connections(self) -> int:
        """Open now."""
        return len(self._open)

    # -- what lasts -----------------------------------------------------------------------------------------------

    def suffer(self, fault: Fault) -> int:
        """From now on; returns how many connections are open."""

        async def change() -> int:
            self.fault = fault
            self._changed.set()
            self._changed = asyncio.Event()
            return self.connections

        return self._proxy.call(change())

    def heal(self) -> None:
        """No lasting fault, no trap, no flip, nothing kept back; and somebody listens."""
        for keep in list(self._keeps):
            self.let_go(keep)

        async def clear() -> None:
            self._traps.clear()
            self._flips = {UP: 0, DOWN: 0}

        self._proxy.call(clear())
        self.suffer(NO_FAULT)
        self.up()

    def down(self) -> int:
        """Refuses connections and resets those that are open; returns how many."""
        self._proxy.call(self._deaf())
        return self.reset()

    def up(self) -> None:
        """Listens again on the same port."""
        self._proxy.call(self.listen())

    # -- what happens once ----------------------------------------------------------------------------------------

    def cut(self) -> int:
        """Ends every connection with a FIN to both sides; returns how many."""
        return self._end("cut")

    def reset(self) -> int:
        """Ends every connection with an RST to both sides; returns how many."""
        return self._end("reset")

    def half_close(self, direction: Direction = "down") -> int:
        """Tells the receiving side of every connection that no more comes, though the sender goes on."""

        async def close() -> int:
            hit = list(self._open)
            for connection in hit:
                connection.half_close(direction)
            return len(hit)

        return self._proxy.call(close())

    def flip(self, direction: Direction, pieces: int = 1) -> None:
        """Changes one bit in the middle of each of the next large pieces (half a KiB or more)."""

        async def arm() -> None:
            self._flips[direction] += pieces

        self._proxy.call(arm())

    @property
    def flips_left(self) -> int:
        return sum(self._flips.values())

    def set_trap(self, trap: Trap) -> Trap:
        """The trap springs once, at the first connection on which its moment comes."""

        async def arm() -> Trap:
            self._traps.append(trap)
            return trap

        return self._proxy.call(arm())

    def keep(self, keep: Keep) -> Keep:
        """From now on, until it is let go."""

        async def arm() -> Keep:
            self._keeps.append(keep)
            return keep

        return self._proxy.call(arm())

    def let_go(self, keep: Keep) -> None:
        """What was kept back goes on; nothing more is kept."""

        async def release() -> None:
            if keep in self._keeps:
                self._keeps.remove(keep)
            keep.let_go.set()

        self._proxy.call(release())

    # -- on the proxy's own thread --------------------------------------------------------------------------------

    async def listen(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._accept, HOST, self.port)
            self.port = self._server.sockets[0].getsockname()[1]

    async def _deaf(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.opened += 1
        connection = Connection(self, reader, writer)
        self._open.add(connection)
        connection.task.add_done_callback(lambda _: self._open.discard(connection))

    def keep_at(self, moment: str | None, port: int) -> Keep | None:
        return next((keep for keep in self._keeps if keep.moment == moment and keep.client(port)), None)

    def trap_at(self, moment: str | None, port: int) -> Trap | None:
        """Takes the first trap for this moment and client, if it is one."""
        found = next((trap for trap in self._traps if trap.moment == moment and trap.client(port)), None)
        if found is not None:
            self._traps.remove(found)
        return found

    def flipped(self, data: bytes, direction: str) -> bytes:
        if not self._flips[direction] or len(data) < LARGE:
            return data
        self._flips[direction] -= 1
        return bit_flipped(data)

    async def passable(self, direction: str) -> None:
        """Returns when no black hole is in the way."""
        while self.fault.black_hole and self.fault.holds(direction):
            await self._changed.wait()

    def delay_s(self, direction: str) -> float:
        return self.fault.delay_s if self.fault.holds(direction) else 0.0

    def rate(self, direction: str) -> float | None:
        return self.fault.rate if self.fault.holds(direction) else None

    def _end(self, end: End) -> int:
        return self._proxy.call(self.end_all(end))

    async def end_all(self, end: End) -> int:
        hit = list(self._open)
        for connection in hit:
            connection.end(end)
        await asyncio.gather(*(connection.task for connection in hit), return_exceptions=True)
        return len(hit)


class Proxy:
    """All links, on a thread of its own. Leaving the block ends every connection."""

    def __init__(self) -> None:
        self.links: dict[str, Link] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for link in self.links.values():
            link.down()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def link(self, name: str, target: int, framer: Callable[[], Framer] = Plain, *, port: int = 0) -> Link:
        """A link to a server on loopback; it listens at once, on any free port if none is given."""
        made = Link(self, name, target, framer, port)
        self.call(made.listen())
        self.links[name] = made
        return made

    def call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Runs it on the proxy's thread and waits for its answer."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(30)
