"""The network of a real device: NetworkManager over D-Bus, one connection profile of our own, and its checkpoints.

A change is made in memory under a checkpoint, whose time NetworkManager keeps: were this process to die, or the
device to be unreachable, it goes back by itself; were the power to fail, the profile on disk is the one before.
NetworkManager reference, "D-Bus API": CheckpointCreate, Update2, AddConnection2, ActivateConnection.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

from firmware.system.network_port import DEFAULT, NetworkFault, Wanted
from firmware.system.network_profile import UUID, Settings, adapter_of, agrees, note_of, profile_of, rank
from firmware.system.system_bus import BusFault, SystemBus
from hal.clock import Clock

OWNER = MANAGER = "org.freedesktop.NetworkManager"
ROOT = "/org/freedesktop/NetworkManager"
SETTINGS_PATH, SETTINGS = f"{ROOT}/Settings", f"{MANAGER}.Settings"
CONNECTION = f"{SETTINGS}.Connection"
DEVICE, ACTIVE, CHECKPOINT = f"{MANAGER}.Device", f"{MANAGER}.Connection.Active", f"{MANAGER}.Checkpoint"

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
# A network on which IPv6 has been up for so long without an address by DHCP does not speak IPv4; one that does, and
# is slower, gets its address later.
ALONE_S = 10.0
# After going back an adapter has its former settings within this time.
EXCHANGE_S = 3.0
# NetworkManager gets this much longer than we do: it goes back only when we did not.
SPARE_S = 15.0


class NetworkManager:
    """Port `NetworkPort` over NetworkManager."""

    name = "NetworkManager"

    def __init__(self, clock: Clock, address: str | None = None) -> None:
        """`address` is that of a private message bus; None: the system bus."""
        self._clock = clock
        self._bus = SystemBus(address)
        self._named: str | None = None  # the host name that we have set

    async def adapter(self) -> str:
        """The wired adapter that our profile is for, or the one on the board."""
        return (await self._device())[1]

    async def recover(self, token: str, names: frozenset[str]) -> None:
        called = await self._called()
        if called in names:
            self._named = called
        if token and await self._is_ours(token):
            await self._roll_back(token)

    async def told(self) -> Wanted:
        profile = await self._profile()
        if profile is None or await self._get(profile, CONNECTION, "Unsaved"):
            return DEFAULT
        (settings,) = await self._call(profile, CONNECTION, "GetSettings")
        return Wanted.of(note_of(settings)) or DEFAULT

    async def follows(self, wanted: Wanted) -> bool:
        device, adapter = await self._device()
        profile = await self._profile()
        if not await self._is_called(wanted.host_name):
            return False
        if profile is None:
            return wanted == DEFAULT
        (settings,) = await self._call(profile, CONNECTION, "GetSettings")
        if await self._get(profile, CONNECTION, "Unsaved") or not agrees(settings, wanted, adapter):
            return False
        end_ns = self._clock.now_ns() + round(EXCHANGE_S * 1e9)
        while not (same := await self._set_up(device, wanted, adapter)) and self._clock.now_ns() < end_ns:
            await self._clock.sleep(LOOK_S)
        return same

    async def begin(self, within_s: float) -> str:
        path, _ = await self._device()
        seconds = round(within_s + ACTIVATE_S + SPARE_S)
        (made,) = await self._call(ROOT, MANAGER, "CheckpointCreate", "aouu", [path], seconds, DELETE_NEW)
        return f"{made}@{await self._get(made, CHECKPOINT, 'Created')}"

    async def extend(self, token: str, within_s: float) -> None:
        seconds = round(within_s + ACTIVATE_S + SPARE_S)
        await self._call(ROOT, MANAGER, "CheckpointAdjustRollbackTimeout", "ou", _path(token), seconds)

    async def apply(self, wanted: Wanted) -> None:
        device, adapter = await self._device()
        if wanted == DEFAULT and await self._profile() is None:
            await self._name(wanted.host_name)  # the network is the system's own
            return
        profile = await self._told(profile_of(wanted, adapter))
        (active,) = await self._call(ROOT, MANAGER, "ActivateConnection", "ooo", profile, device, "/")
        await self._until_up(str(active), device, wanted)
        await self._name(wanted.host_name)

    async def keep(self, token: str | None) -> None:
        profile = await self._profile()
        if profile is not None:
            await self._call(profile, CONNECTION, "Save")
        if token is not None:
            await self._call(ROOT, MANAGER, "CheckpointDestroy", "o", _path(token))

    async def go_back(self, token: str, before: Wanted) -> None:
        await self._name(before.host_name)
        if not await self._is_ours(token):
            raise NetworkFault("NetworkManager does not remember the state before any more")
        await self._roll_back(token)

    async def close(self) -> None:
        await self._bus.close()

    # one step each

    async def _is_ours(self, token: str) -> bool:
        """Whether this checkpoint is still there; numbers begin anew with NetworkManager, instants do not."""
        path, _, created = token.partition("@")
        if path not in await self._get(ROOT, MANAGER, "Checkpoints"):
            return False
        return str(await self._get(path, CHECKPOINT, "Created")) == created

    async def _roll_back(self, token: str) -> None:
        (results,) = await self._call(ROOT, MANAGER, "CheckpointRollback", "o", _path(token))
        failed = [code for code in results.values() if code != 0]
        if failed:
            raise NetworkFault(f"NetworkManager did not bring the adapter back (result {failed[0]})")

    async def _set_up(self, device: str, wanted: Wanted, adapter: str) -> bool:
        """Whether the adapter was set up with just this; one that is not set up at all will be, by the profile."""
        try:
            settings, _ = await self._bus.call(OWNER, device, DEVICE, "GetAppliedConnection", "u", 0)
        except BusFault:
            return True
        return agrees(settings, wanted, adapter)

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
        profile, ours = await self._profile(), ""
        if profile is not None:
            (settings,) = await self._call(profile, CONNECTION, "GetSettings")
            ours = adapter_of(settings)
        found = []
        for path in paths:
            if await self._get(path, DEVICE, "DeviceType") not in WIRED:
                continue
            if await self._get(path, DEVICE, "State") < UNAVAILABLE:
                continue
            found.append((str(await self._get(path, DEVICE, "Interface")), str(path)))
        if not found:
            raise NetworkFault("NetworkManager looks after no wired adapter of this device")
        name, path = min(found, key=lambda each: rank(each[0], ours))
        return path, name

    async def _until_up(self, active: str, device: str, wanted: Wanted) -> None:
        """Wait until the profile is active with an address by DHCP, or, a while later, one of IPv6."""
        began_ns, up_ns = self._clock.now_ns(), None
        while self._clock.now_ns() < began_ns + round(ACTIVATE_S * 1e9):
            try:
                state = await self._bus.get(OWNER, active, ACTIVE, "State")
            except BusFault:
                state = DEACTIVATED  # it is gone
            if state == DEACTIVATED:
                raise NetworkFault(await self._why(device))
            if state == ACTIVATED:
                up_ns = self._clock.now_ns() if up_ns is None else up_ns
                alone = self._clock.now_ns() >= up_ns + round(ALONE_S * 1e9)
                if wanted.ipv4 == "static" or await self._has_address(device, 4):
                    return
                if alone and await self._has_address(device, 6):
                    return  # a network that speaks IPv6 only
            await self._clock.sleep(LOOK_S)
        missing = "no address came by DHCP" if wanted.ipv4 == "dhcp" else "the adapter did not take its address"
        raise NetworkFault(f"{missing} within {ACTIVATE_S:g} s")

    async def _has_address(self, device: str, version: int) -> bool:
        """Whether the adapter has one that reaches farther than its cable."""
        config = await self._get(device, DEVICE, f"Ip{version}Config")
        if config == "/":
            return False
        data = await self._get(config, f"{MANAGER}.IP{version}Config", "AddressData")
        return any(not ip_address(each["address"].value).is_link_local for each in data)

    async def _why(self, device: str) -> str:
        """In words why the adapter is not up."""
        _, reason = await self._get(device, DEVICE, "StateReason")
        return REASONS.get(reason, f"NetworkManager did not bring the adapter up (reason {reason})")

    async def _called(self) -> str:
        return str(await self._get(SETTINGS_PATH, SETTINGS, "Hostname"))

    async def _is_called(self, host_name: str) -> bool:
        """Whether the system is called so; where nothing is wished, whether its name is none of ours."""
        called = await self._called()
        return called == host_name if host_name else self._named in (None, "") or called != self._named

    async def _name(self, host_name: str) -> None:
        """Be called so in the network; where nothing is wished, a name of ours goes and any other stays."""
        if not await self._is_called(host_name):
            await self._call(SETTINGS_PATH, SETTINGS, "SaveHostname", "s", host_name)
        self._named = host_name or None

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


def _path(token: str) -> str:
    """The checkpoint of a token, which says when it was made as well."""
    return token.partition("@")[0]


def _said(fault: BusFault) -> str:
    if fault.name in ("org.freedesktop.DBus.Error.ServiceUnknown", "org.freedesktop.DBus.Error.NameHasNoOwner"):
        return "NetworkManager does not run on this system"
    if fault.name == "org.freedesktop.NetworkManager.PermissionDenied":
        return f"NetworkManager does not let this service change the network: {fault}"
    return str(fault)
