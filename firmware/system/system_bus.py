"""Calls over the system's message bus (D-Bus), each bounded in time and each with one kind of error."""

from __future__ import annotations

import asyncio
from typing import Any

from dbus_fast import BusType, Message, MessageType, Variant
from dbus_fast.aio import MessageBus
from dbus_fast.errors import DBusError

PROPERTIES = "org.freedesktop.DBus.Properties"
# Whoever does not answer a question within this time does not answer at all.
ANSWER_S = 25.0


class BusFault(Exception):
    """A call that failed: `name` is the error's on the bus, empty when the bus or the owner does not answer."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(" ".join(message.split())[:300])
        self.name = name


class SystemBus:
    """One connection to the bus, made at the first call and again after it was lost."""

    def __init__(self, address: str | None = None) -> None:
        """`address` is that of a private bus; None: the system bus, or what DBUS_SYSTEM_BUS_ADDRESS names."""
        self._address = address
        self._bus: MessageBus | None = None

    async def call(
        self, owner: str, path: str, interface: str, member: str, signature: str = "", *values: Any,
        within_s: float = ANSWER_S,
    ) -> list[Any]:  # fmt: skip
        """Call a method; answers the values of the reply. Raises BusFault."""
        message = Message(
            destination=owner, path=path, interface=interface, member=member, signature=signature, body=list(values)
        )
        try:
            async with asyncio.timeout(within_s):
                bus = await self._connected()
                reply = await bus.call(message)
        except TimeoutError:
            raise BusFault("", f"{owner} does not answer") from None
        except (OSError, EOFError, DBusError, ValueError) as error:
            await self.close()
            raise BusFault("", f"the system bus cannot be reached: {error}") from None
        assert reply is not None
        if reply.message_type is MessageType.ERROR:
            said = str(reply.body[0]) if reply.body else str(reply.error_name)
            raise BusFault(reply.error_name or "", said)
        return list(reply.body)

    async def get(self, owner: str, path: str, interface: str, name: str) -> Any:
        """A property. Raises BusFault."""
        (found,) = await self.call(owner, path, PROPERTIES, "Get", "ss", interface, name)
        return found.value if isinstance(found, Variant) else found

    async def close(self) -> None:
        """End the connection; the next call makes a new one."""
        bus, self._bus = self._bus, None
        if bus is not None:
            bus.disconnect()

    async def _connected(self) -> MessageBus:
        if self._bus is None or not self._bus.connected:
            self._bus = await MessageBus(bus_address=self._address, bus_type=BusType.SYSTEM).connect()
        return self._bus
