"""The network of a real device: NetworkManager over D-Bus, one connection profile of our own, and its checkpoints.

A change is made in memory under a checkpoint, whose time NetworkManager keeps: were this process to die, or the
device to be unreachable, it goes back by itself; were the power to fail, the profile on disk is the one before.
NetworkManager reference, "D-Bus API": CheckpointCreate, Update2, AddConnection2, ActivateConnection.
"""

from __future__ import annotations

import contextlib
from typing import Any

from firmware.system.network_port import DEFAULT, NetworkFault, Wanted
from firmware.system.network_profile import UUID, Settings, adapter_of, note_of, profile_of
from firmware.system.system_bus import BusFault, SystemBus
from hal.clock import Clock

OWNER = MANAGER = "org.freedesktop.NetworkManager"
ROOT = "/org/freedesktop/NetworkManager"
SETTINGS_PATH, SETTINGS = f"{ROOT}/Settings", f"{MANAGER}.Settings"
CONNECTION = f"{SETTINGS}.Connection"
DEVICE, ACTIVE, IP4 = f"{MANAGER}.Device", f"{MANAGER}.Connection.Active", f"{MANAGER}.IP4Config"

# NMDeviceType: ethernet, and the virtual cable of containers.
WIRED = (1, 20)
# NMDeviceState: below this one somebody else looks after the adapter.
UNAVAILABLE = 20
# NMActiveConnectionState.
ACTIVATED, DEACTIVATED = 2, 4
# NMCheckpointCreateFlags: profiles that came after it go with it.
DELETE_NEW = 0x02
# NMSettingsUpdate2Flags and NMSettingsAddConnection2Flags.
IN_MEMORY = 0x02
# An address by DHCP comes within this time or not at all (NetworkManager waits for 45 s).
ACTIVATE_S = 50.0
LOOK_S = 0.2
# NetworkManager gets this much longer than we do: it goes back only when we did not.
SPARE_S = 15.0


class NetworkManager:
    """Port `NetworkPort` over NetworkManager."""

    name = "NetworkManager"

    def __init__(self, clock: Clock, address: str | None = None) -> None:
        """`address` is that of a private message bus; None: the system bus."""
        self._clock = clock
        self._bus = SystemBus(address)
        self._named: str | None = None  # the host name that was set here

    async def adapter(self) -> str:
        """The first wired adapter that NetworkManager looks after."""
        return (await self._device())[1]

    async def recover(self) -> None:
        device, _ = await self._device()
        for token in await self._get(ROOT, MANAGER, "Checkpoints"):
            if device in await self._get(token, f"{MANAGER}.Checkpoint", "Devices"):
                await self._call(ROOT, MANAGER, "CheckpointRollback", "o", token)

    async def follows(self, wanted: Wanted) -> bool:
        profile = await self._profile()
        if profile is None:
            return wanted == DEFAULT
        (settings,) = await self._call(profile, CONNECTION, "GetSettings")
        unsaved = await self._get(profile, CONNECTION, "Unsaved")
        named = wanted.host_name in ("", await self._get(SETTINGS_PATH, SETTINGS, "Hostname"))
        same = note_of(settings) == wanted.text() and adapter_of(settings) == await self.adapter()
        return named and same and not unsaved

    async def begin(self, within_s: float) -> str:
        path, _ = await self._device()
        seconds = round(within_s + ACTIVATE_S + SPARE_S)
        (token,) = await self._call(ROOT, MANAGER, "CheckpointCreate", "aouu", [path], seconds, DELETE_NEW)
        return str(token)

    async def extend(self, token: str, within_s: float) -> None:
        seconds = round(within_s + ACTIVATE_S + SPARE_S)
        await self._call(ROOT, MANAGER, "CheckpointAdjustRollbackTimeout", "ou", token, seconds)

    async def apply(self, wanted: Wanted) -> None:
        device, adapter = await self._device()
        profile = await self._told(profile_of(wanted, adapter))
        (active,) = await self._call(ROOT, MANAGER, "ActivateConnection", "ooo", profile, device, "/")
        await self._until_up(str(active), device, wanted, self._clock.now_ns() + round(ACTIVATE_S * 1e9))
        await self._name(wanted.host_name)

    async def keep(self, token: str | None) -> None:
        profile = await self._profile()
        if profile is not None:
            await self._call(profile, CONNECTION, "Save")
        if token is not None:
            await self._call(ROOT, MANAGER, "CheckpointDestroy", "o", token)

    async def go_back(self, token: str, before: Wanted) -> None:
        with contextlib.suppress(BusFault):  # NetworkManager may have gone back by itself, and forgotten it
            await self._bus.call(OWNER, ROOT, MANAGER, "CheckpointRollback", "o", token)
        if self._named is not None:
            await self._name(before.host_name)

    async def close(self) -> None:
        await self._bus.close()

    # one step each

    async def _told(self, profile: Settings) -> str:
        """Our profile with these settings, in memory; answers its path."""
        path = await self._profile()
        if path is None:
            (path, _) = await self._call(
                SETTINGS_PATH, SETTINGS, "AddConnection2", "a{sa{sv}}ua{sv}", profile, IN_MEMORY, {}
            )
            return str(path)
        await self._call(path, CONNECTION, "Update2", "a{sa{sv}}ua{sv}", profile, IN_MEMORY, {})
        return path

    async def _profile(self) -> str | None:
        """The path of our profile; None when there is none yet."""
        try:
            (path,) = await self._bus.call(OWNER, SETTINGS_PATH, SETTINGS, "GetConnectionByUuid", "s", UUID)
        except BusFault as fault:
            if fault.name.startswith(SETTINGS):  # NetworkManager answers, and has none
                return None
            raise NetworkFault(_said(fault)) from None
        return str(path)

    async def _device(self) -> tuple[str, str]:
        """Path and name of the adapter that the settings are for."""
        (paths,) = await self._call(ROOT, MANAGER, "GetDevices")
        found = []
        for path in paths:
            if await self._get(path, DEVICE, "DeviceType") not in WIRED:
                continue
            if await self._get(path, DEVICE, "State") < UNAVAILABLE:
                continue
            found.append((str(await self._get(path, DEVICE, "Interface")), str(path)))
        if not found:
            raise NetworkFault("NetworkManager looks after no wired adapter of this device")
        name, path = min(found)
        return path, name

    async def _until_up(self, active: str, device: str, wanted: Wanted, end_ns: int) -> None:
        """Wait until the profile is active with an address of the wished kind."""
        while self._clock.now_ns() < end_ns:
            try:
                state = await self._bus.get(OWNER, active, ACTIVE, "State")
            except BusFault:
                state = DEACTIVATED  # it is gone
            if state == DEACTIVATED:
                raise NetworkFault(await self._why(device))
            if state == ACTIVATED and (wanted.ipv4 == "static" or await self._has_address(device)):
                return
            await self._clock.sleep(LOOK_S)
        missing = "no address came by DHCP" if wanted.ipv4 == "dhcp" else "the adapter did not take its address"
        raise NetworkFault(f"{missing} within {ACTIVATE_S:g} s")

    async def _has_address(self, device: str) -> bool:
        config = await self._get(device, DEVICE, "Ip4Config")
        return config != "/" and bool(await self._get(config, IP4, "AddressData"))

    async def _why(self, device: str) -> str:
        """In words why the adapter is not up."""
        _, reason = await self._get(device, DEVICE, "StateReason")
        return REASONS.get(reason, f"NetworkManager did not bring the adapter up (reason {reason})")

    async def _name(self, host_name: str) -> None:
        """Be called so in the network; nobody asks for a name at first, and then the system's own stays."""
        if host_name == (self._named or ""):
            return
        await self._call(SETTINGS_PATH, SETTINGS, "SaveHostname", "s", host_name)
        self._named = host_name

    async def _call(self, path: str, interface: str, member: str, signature: str = "", *values: Any) -> list[Any]:
        try:
            return await self._bus.call(OWNER, path, interface, member, signature, *values)
        except BusFault as fault:
            raise NetworkFault(_said(fault)) from None

    async def _get(self, path: str, interface: str, name: str) -> Any:
        try:
            return await self._bus.get(OWNER, path, interface, name)
        except BusFault as fault:
            raise NetworkFault(_said(fault)) from None


# NMDeviceStateReason, those that a setting can cause.
REASONS = {
    5: "no address came by DHCP",
    6: "the address that was given has run out",
    15: "DHCP could not be started",
    16: "DHCP failed",
    17: "DHCP failed",
    40: "there is no cable",
    64: "another device has this address already",
}


def _said(fault: BusFault) -> str:
    if fault.name in ("org.freedesktop.DBus.Error.ServiceUnknown", "org.freedesktop.DBus.Error.NameHasNoOwner"):
        return "NetworkManager does not run on this system"
    if fault.name == "org.freedesktop.NetworkManager.PermissionDenied":
        return f"NetworkManager does not let this service change the network: {fault}"
    return str(fault)
