"""A network role in one process: real store, accounts, link and application, in virtual time.

Only the services of other roles are stood in for, by owners in the action table that write down what they
are asked. Requests go through the whole application by ASGI, as the server would hand them over.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from firmware.certificates import CertificatesService
from firmware.core.actions import NOTHING, ActionTable, Invocation, Level, Nothing
from firmware.core.bus import Bus
from firmware.core.context import Core
from firmware.core.events import Event
from firmware.core.link.channel import Channel
from firmware.core.link.local import LocalLink
from firmware.core.params import Params
from firmware.core.store import Store
from firmware.core.vocabulary.access import ReleaseParams
from firmware.core.vocabulary.clips import (
    ClipAddParams,
    ClipLendParams,
    ClipPlayAnswer,
    ClipPlayParams,
    ClipRef,
    ClipRenameParams,
    ClipState,
    ClipStopAnswer,
    ClipStopParams,
    ClipView,
)
from firmware.core.vocabulary.device import DeviceInfo
from firmware.core.vocabulary.entries import (
    EntryAdd,
    EntryChange,
    EntryExport,
    EntryFile,
    EntryImport,
    EntryImported,
    EntryKind,
    EntryPage,
    EntryQuery,
    EntryRef,
    EntryView,
    FileFormat,
    LatestCard,
    LatestParams,
    Outcome,
    PresentAnswer,
    PresentParams,
)
from firmware.core.vocabulary.osdp import Capture, TraceRef
from firmware.core.vocabulary.station import JournalPage, JournalQuery, StorageProblem
from firmware.core.vocabulary.upgrade import ConfirmParams, InstallParams, UpgradeAnswer
from firmware.interfaces.api.app import Api
from firmware.interfaces.api.upload import Spool
from firmware.interfaces.faces import host_names
from firmware.interfaces.http.guard import Guard
from firmware.interfaces.vapix.face import Vapix
from firmware.interfaces.video.place import Place
from firmware.interfaces.video.views import Views
from firmware.interfaces.web.web import Web
from firmware.security import AccountsService
from hal.sim.time import VirtualClock, virtual_run

REALM = "LINTEL_0123456789AB"
HERE = "127.0.0.1"
AWAY = "192.0.2.7"
BASE = "http://127.0.0.1:8080"
ADMIN = ("admin", "choose-one")
INFO = DeviceInfo(
    product="Network door station",
    model="LINTEL-DS1",
    board="door_station",
    version="0",
    slot="A",
    serial="0123456789AB",
    chip_id="1",
    simulated=True,
    capabilities=("relay", "microphone", "speaker"),
)


async def away() -> Channel:
    """There is no media role behind this face, for pictures and sound."""
    raise ConnectionRefusedError


PLACE = Place(source="camera1", alias="entrance", width=1920, height=1080, fps=30, connect=away)
EXPORTED = EntryFile(format=FileFormat.CSV, text="id,name\r\ne1,'=Ada\r\n", total=3, next=1)
LATEST = LatestCard(
    reader="reader1", at=datetime(2026, 1, 1, tzinfo=UTC), card="UID:04A1", fitting=(), bits="0000010010100001",
    uid="A104", reversed=True, chip="", entry="", holder="",
)  # fmt: skip


CLIP_ID = "0123456789ab"
CLIP_FILE = b"RIFF and all that"
CLIP = ClipView(
    clip=CLIP_ID, name="Dörr: a/b", format="wav", encoding="PCM 16 bit", rate_hz=48_000, channels=1, length_s=1.5,
    size=len(CLIP_FILE), ready=True, detail="",
)  # fmt: skip
CLIP_STATE = ClipState(**{name: getattr(CLIP, name) for name in ClipView.__dataclass_fields__})
PLAYED = ClipPlayAnswer(playing="p1", clip=CLIP_ID, name=CLIP.name, length_s=1.5)


class Owners:
    """Stands in for the services of control: registers their actions and writes down who asked for what."""

    def __init__(self, actions: ActionTable, clip_spool: Path) -> None:
        self.asked: list[Invocation] = []
        self._clip_spool = clip_spool
        view = EntryView(
            id="e1", name="Ada", kind=EntryKind.CARD, card=None, uses_left=None,
            valid_from=None, valid_to=None, schedule=None, doors=(),
        )  # fmt: skip
        for name, params, answer, value in (
            ("door.release", ReleaseParams, Nothing, NOTHING),
            ("entries.add", EntryAdd, EntryView, view),
            ("entries.list", EntryQuery, EntryPage, EntryPage(total=1, entries=(view,))),
            ("entries.remove", EntryRef, Nothing, NOTHING),
            ("upgrade.install", InstallParams, UpgradeAnswer, UpgradeAnswer(id="u1", version="2.0.0", mode="standard")),
            ("upgrade.rollback", Nothing, UpgradeAnswer, UpgradeAnswer(id="u2", version="1.0.0", mode="rollback")),
            ("upgrade.confirm", ConfirmParams, Nothing, NOTHING),
            ("entries.change", EntryChange, EntryView, view),
            ("entries.export", EntryExport, EntryFile, EXPORTED),
            (
                "entries.import",
                EntryImport,
                EntryImported,
                EntryImported(added=1, changed=0, unchanged=0, dry_run=True),
            ),
            ("access.latest", LatestParams, LatestCard, LATEST),
            ("access.check", PresentParams, PresentAnswer, PresentAnswer(outcome=Outcome.PIN_WANTED, reader="reader1")),
            ("osdp.trace.capture", TraceRef, Capture, Capture(name="external.osdpcap", text="{}\n")),
            ("clip.play", ClipPlayParams, ClipPlayAnswer, PLAYED),
            ("clip.stop", ClipStopParams, ClipStopAnswer, ClipStopAnswer(stopped=1)),
            ("clip.rename", ClipRenameParams, ClipView, CLIP),
            ("clip.delete", ClipRef, Nothing, NOTHING),
            ("clip.add", ClipAddParams, ClipView, CLIP),
            ("journal.read", JournalQuery, JournalPage, JournalPage(lines=(), more=False)),
        ):
            actions.register(
                name, params, self._owner(value), summary=f"{name} here.", level=Level.OPERATOR, answer=answer
            )

        actions.register(
            "clip.lend", ClipLendParams, self._lend, summary="Here.", level=Level.VIEWER, answer=ClipView, private=True
        )

    async def _lend(self, invocation: Invocation) -> ClipView:
        """As media does it: the file stands in the spool when the answer comes."""
        self.asked.append(invocation)
        assert isinstance(invocation.params, ClipLendParams)
        self._clip_spool.mkdir(parents=True, exist_ok=True)
        (self._clip_spool / invocation.params.spool).write_bytes(CLIP_FILE)
        return CLIP

    def _owner(self, value: object) -> Callable[[Invocation], Awaitable[object]]:
        async def owner(invocation: Invocation) -> object:
            self.asked.append(invocation)
            return value

        return owner


class Face:
    """One start of the network role on a state directory."""

    def __init__(
        self, root: Path, clock: VirtualClock, *, web: bool = True, disk: Any = None, memory: Any = None
    ) -> None:
        """With the disk `memory` its sessions outlive it, as they do on a device."""
        self.clock = clock
        self.alarms: list[tuple[str, StorageProblem | None, str]] = []
        self.bus = Bus(clock, role="network", boot="b1")
        self.events: list[Event] = []
        self.bus.tap(lambda notice: self.events.append(notice.event))
        store = Store(root, clock, alarm=lambda *what: self.alarms.append(what), disk=disk)
        actions = ActionTable()
        params = Params(store, self.bus, lambda file, why: None)
        self.core = Core(
            role="network",
            clock=clock,
            bus=self.bus,
            actions=actions,
            link=LocalLink(actions, params),
            params=params,
            store=store,
            shared=store,
        )
        self.clip_spool = Spool(root.parent / "spool" / "clips", self.core, 64 * 1024, what="clip")
        self.owners = Owners(actions, self.clip_spool.folder)

        def alarm(*what: Any) -> None:
            self.alarms.append(what)

        kept = Store(root.parent / "memory", clock, alarm=alarm, disk=memory) if memory is not None else None
        self.accounts = AccountsService(self.core, REALM, memory=kept)
        self.certificates = CertificatesService(self.core, INFO.model, INFO.serial)
        self.spool = Spool(root.parent / "spool", self.core)
        self.views = Views(self.core, (PLACE,))
        self.api = Api(self.core, spool=self.spool, clip_spool=self.clip_spool, views=self.views)
        self.vapix = Vapix(self.core, self.views, spool=self.spool, clip_spool=self.clip_spool, voices=away)
        self.web = Web(self.core) if web else None
        pages = () if self.web is None else (self.web.face(),)
        self.guard = Guard((self.api.face(alone=not pages), *pages, self.vapix.face()), self.core, host_names)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Face]:
        """Start, serve, stop."""
        store = self.core.store
        await store.start()
        self.bus.publish(INFO)
        await self.accounts.start()
        await self.certificates.start()
        async with asyncio.TaskGroup() as group:
            task = group.create_task(self.accounts.run())
            try:
                yield self
            finally:
                task.cancel()
        self.guard.close()
        await self.accounts.stop()
        await self.certificates.stop()
        await store.close()

    @asynccontextmanager
    async def client(
        self, auth: Any = None, *, address: str = HERE, base: str = BASE
    ) -> AsyncIterator[httpx.AsyncClient]:
        """An HTTP client at an address."""
        transport = httpx.ASGITransport(app=self.guard, client=(address, 40000))
        async with httpx.AsyncClient(transport=transport, base_url=base, auth=auth) as client:
            yield client

    async def set_up(self, name: str = ADMIN[0], password: str = ADMIN[1], **more: Any) -> httpx.Response:
        """Make the first administrator."""
        async with self.client() as client:
            return await client.post("/api/v1/setup", json={"name": name, "password": password, **more})

    async def account(self, name: str, password: str, level: str) -> None:
        """Make another account."""
        async with self.client(ADMIN) as client:
            body = {"name": name, "password": password, "level": level}
            answer = await client.post("/api/v1/actions/accounts.add", json=body)
            assert answer.status_code == 200, answer.text

    def topics(self) -> list[str]:
        """The topics of everything that happened."""
        return [event.topic for event in self.events]


Main = Callable[[Face], Awaitable[None]]


@pytest.fixture
def play(tmp_path: Path) -> Callable[..., None]:
    """Run a test's coroutine with a running face; `again` starts the role anew on the same directory."""

    def run(*mains: Main, between: Callable[[Path], None] = lambda root: None, **how: Any) -> None:
        async def session(clock: VirtualClock) -> None:
            for number, main in enumerate(mains):
                if number:
                    between(tmp_path / "settings")
                async with AsyncExitStack() as stack:
                    await main(await stack.enter_async_context(Face(tmp_path / "settings", clock, **how).running()))

        virtual_run(session)

    return run
