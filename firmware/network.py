"""Composition of the network role: its services, and the picture sources of a board as it reaches them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from firmware.core.context import Core
from firmware.core.link.channel import Connect
from firmware.core.service import Service
from firmware.core.store import Store
from firmware.core.vocabulary.device import DeviceInfo
from firmware.options import OFF
from firmware.parts import Parts, alarm_on
from firmware.roles import duties_on
from hal.board import Board, CameraNode

if TYPE_CHECKING:
    from firmware.interfaces.video.place import Place


def picture_places(
    board: Board, reach: Callable[[str], Connect], hands: Callable[[str], Path] | None = None
) -> tuple[Place, ...]:
    """The picture sources of a board; `reach` answers how the pictures of one are got at, `hands` who takes viewers."""
    from firmware.interfaces.video.place import Place

    return tuple(
        Place(
            source=name, alias=node.alias or name, width=node.width, height=node.height, fps=node.fps,
            connect=reach(name), hands=None if hands is None else hands(name),
        )
        for name, node in board.nodes.items()
        if isinstance(node, CameraNode)
    )  # fmt: skip


def network_services(
    parts: Parts,
    host: str,
    port: int,
    *,
    web: bool,
    https: tuple[str, int] | None = None,
    rtsp: tuple[str, int] | None = None,
    reach: Callable[[str], Connect] | None = None,
    hands: Callable[[str], Path] | None = None,
    voices: Connect | None = None,
    listener: Path | None = None,
    bench: Path | None = None,
    memory: Path | None = None,
    discovery: str = OFF,
) -> Callable[[Core, DeviceInfo], tuple[Service, ...]]:
    """What the network role runs: accounts, certificates, and the API at its addresses (port 0: any that is free).

    `reach` answers how to get at the pictures of a source; without it there are none; `voices` leads to those
    who listen to sound or talk, `listener` to whoever may listen to an adapter. `bench` is the socket of a simulated
    world, for the device image, `memory` the folder of what outlives the process and no power cut. `discovery` names
    the adapters at which the device can be found.
    """

    def make(core: Core, info: DeviceInfo) -> tuple[Service, ...]:
        from firmware.certificates import CertificatesService
        from firmware.interfaces.api.service import ApiService
        from firmware.interfaces.carrier import CarrierService
        from firmware.interfaces.cloud.service import CloudService
        from firmware.interfaces.controller import ControllerHttpService
        from firmware.interfaces.discovery import DiscoveryService
        from firmware.interfaces.logs import LogsService
        from firmware.interfaces.net.changes import Changes
        from firmware.interfaces.rtsp.service import RtspService
        from firmware.plan import plan_of
        from firmware.security import AccountsService

        places = () if reach is None else picture_places(parts.board, reach, hands)
        kept = None if memory is None else Store(memory, parts.clock, alarm=alarm_on(core.bus))
        accounts = AccountsService(core, f"LINTEL_{info.serial}", memory=kept)
        certificates = CertificatesService(core, info.model, info.serial)
        state = parts.state
        api = ApiService(
            core, host, port, web=web, https=https, tls=certificates,
            spool=state.spool, clip_spool=state.clip_spool, places=places, voices=voices,
            listener=listener, bench=bench,
            plan=plan_of(parts.board) if web else None,
        )  # fmt: skip
        changes = Changes(core.clock)
        services: list[Service] = [LogsService(core, info, certificates), accounts, certificates]
        if not parts.simulated:  # a simulated device has no cable of its own: it is on the network while its API is
            services.append(CarrierService(core, changes=changes))
        if "controller_net" in duties_on(parts.board, "network"):
            services.append(ControllerHttpService(core, certificates.client))
        if rtsp is not None:
            services.append(RtspService(core, *rtsp))
        discovered = DiscoveryService(core, info, discovery, changes=changes)
        return (*services, api, discovered, CloudService(core, lambda: api.app, certificates.client))

    return make
