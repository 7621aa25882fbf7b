"""What changes something, or is asked of a service: actions and parameters over the link, under other paths.

The owner checks the caller's level and the words; a route's own level is only the least that makes sense.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from firmware.core.actions import Invocation, Level
from firmware.core.context import Core
from firmware.core.errors import Invalid
from firmware.core.values import decode
from firmware.core.vocabulary.entries import (
    EntryAdd,
    EntryExport,
    EntryFile,
    EntryImport,
    EntryImported,
    EntryPage,
    EntryQuery,
    EntryView,
    FileFormat,
    LatestCard,
    LatestParams,
    Limit,
    PresentAnswer,
    PresentParams,
)
from firmware.core.vocabulary.osdp import Capture, TraceRef
from firmware.core.vocabulary.security import AccountView, SetupParams
from firmware.core.vocabulary.station import JournalPage, JournalQuery
from firmware.interfaces.api.routes import (
    Routes,
    answer,
    answer_value,
    caller_of,
    json_of,
    object_of,
    query_of,
)
from hal.errors import nearest

ENTRY_ADD = "entries.add"
ENTRY_LIST = "entries.list"
ENTRY_REMOVE = "entries.remove"
ENTRY_CHANGE = "entries.change"
ENTRY_EXPORT = "entries.export"
ENTRY_IMPORT = "entries.import"
LATEST = "access.latest"
CHECK = "access.check"
KINDS = {FileFormat.CSV: "text/csv; charset=utf-8", FileFormat.JSON: "application/json"}
JOURNAL_READ = "journal.read"


class Commands:
    """The endpoints that ask somebody."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def add_to(self, routes: Routes) -> None:
        """Add the routes."""
        viewer, operator = Level.VIEWER, Level.OPERATOR
        add = routes.add
        add("POST", "/setup", self.setup, level=Level.ANONYMOUS, takes=SetupParams, gives=AccountView, status=201,
            summary="Make the first administrator")  # fmt: skip
        add("GET", "/entries", self.entries, level=operator, query=EntryQuery, gives=EntryPage,
            summary="A page of the entry list")  # fmt: skip
        add("POST", "/entries", self.add_entry, level=operator, takes=EntryAdd, gives=EntryView, status=201,
            summary="Add an entry")  # fmt: skip
        add("GET", "/entries/export", self.export, level=operator, query=EntryExport, gives=str, kind="text/csv",
            summary="The entry list as a file, without PINs; header Lintel-Next: offset of the rest")  # fmt: skip
        add("POST", "/entries/import", self.carry_in, level=operator, takes=EntryImport, gives=EntryImported,
            summary="Add and change entries from a file, all or none")  # fmt: skip
        add("PATCH", "/entries/{id}", self.change_entry, level=operator, takes=dict[str, object], gives=EntryView,
            summary="Change an entry; null takes a limit away, what is not named stays")  # fmt: skip
        add("DELETE", "/entries/{id}", self.remove_entry, level=operator, status=204,
            summary="Remove an entry")  # fmt: skip
        add("GET", "/readers/latest", self.latest, level=operator, query=LatestParams, gives=LatestCard,
            summary="The card read last, for enrolment; reverse=1 turns its UID round")  # fmt: skip
        add("POST", "/readers/check", self.check, level=operator, takes=PresentParams, gives=PresentAnswer,
            summary="Present a card, UID or PIN as if at the reader")  # fmt: skip
        add("GET", "/journal", self.journal, level=operator, query=JournalQuery, gives=JournalPage,
            summary="The newest journal lines, oldest first")  # fmt: skip
        add("GET", "/osdp/{port}/capture", self.capture, level=Level.ADMIN, kind="application/x-ndjson", gives=str,
            summary="The recorded frames of an OSDP port as an osdpcap file, keys masked")  # fmt: skip
        add("GET", "/params/{group}", self.read, level=viewer, gives=dict[str, object],
            summary="The values of a parameter group")  # fmt: skip
        add("PATCH", "/params/{group}", self.change, level=viewer, takes=dict[str, object], gives=dict[str, object],
            summary="Change parameters of a group, all or none")  # fmt: skip
        add("POST", "/actions/{name}", self.act, level=viewer, takes=dict[str, object], gives=dict[str, object],
            summary="Do something; the body holds the parameters")  # fmt: skip

    async def setup(self, request: Request) -> Response:
        """The first administrator; the caller is known by its address only."""
        params = decode(SetupParams, await json_of(request), where="setup")
        invocation = Invocation(action="accounts.setup", params=params, caller=caller_of(request))
        return answer_value(await self._core.link.invoke(invocation, AccountView), 201)

    async def entries(self, request: Request) -> Response:
        """A page of entries."""
        query = query_of(request, EntryQuery)
        return await self._ask(request, ENTRY_LIST, {"offset": query.offset, "limit": query.limit})

    async def add_entry(self, request: Request) -> Response:
        """A new entry."""
        return await self._ask(request, ENTRY_ADD, await object_of(request), 201)

    async def remove_entry(self, request: Request) -> Response:
        """One entry less."""
        await self._ask(request, ENTRY_REMOVE, {"id": request.path_params["id"]})
        return Response(status_code=204)

    async def change_entry(self, request: Request) -> Response:
        """An entry changes."""
        body = await object_of(request)
        gone = [name for name, value in body.items() if value is None]
        limits = [limit.value for limit in Limit]
        for name in gone:
            if name not in limits:
                raise Invalid(f"{ENTRY_CHANGE}.{name[:64]}", f"cannot be taken away{nearest(name, limits)}")
        named = {name: value for name, value in body.items() if value is not None}
        for name in ("id", "clear"):
            if name in named:
                raise Invalid(
                    f"{ENTRY_CHANGE}.{name}", "is not written in the body: the id is in the path, null clears"
                )
        change = {"id": request.path_params["id"], **named, "clear": gone}
        return await self._ask(request, ENTRY_CHANGE, change)

    async def export(self, request: Request) -> Response:
        """The list, or a piece of a long one, as a file to keep."""
        query = query_of(request, EntryExport)
        wish = {"format": query.format, "offset": query.offset, "limit": query.limit}
        data = await self._core.link.command(ENTRY_EXPORT, wish, caller_of(request))
        piece = decode(EntryFile, data, where=ENTRY_EXPORT)
        headers = {"content-disposition": f'attachment; filename="entries.{piece.format.value}"'}
        if piece.next is not None:
            headers["lintel-next"] = str(piece.next)
        return Response(piece.text, media_type=KINDS[piece.format], headers=headers)

    async def carry_in(self, request: Request) -> Response:
        """Entries from a file."""
        return await self._ask(request, ENTRY_IMPORT, await object_of(request))

    async def latest(self, request: Request) -> Response:
        """The card read last."""
        query = query_of(request, LatestParams)
        return await self._ask(request, LATEST, {"reader": query.reader, "reverse": query.reverse})

    async def check(self, request: Request) -> Response:
        """Present a credential from afar."""
        return await self._ask(request, CHECK, await object_of(request))

    async def journal(self, request: Request) -> Response:
        """Journal lines."""
        query = query_of(request, JournalQuery)
        return await self._ask(request, JOURNAL_READ, {"limit": query.limit, "before": query.before})

    async def capture(self, request: Request) -> Response:
        """A file to hand on."""
        invocation = Invocation(
            action="osdp.trace.capture",
            params=decode(TraceRef, {"port": request.path_params["port"]}, where="path"),
            caller=caller_of(request),
        )
        capture = await self._core.link.invoke(invocation, Capture)
        name = f'attachment; filename="{capture.name}"'
        return Response(capture.text, media_type="application/x-ndjson", headers={"content-disposition": name})

    async def read(self, request: Request) -> Response:
        """Values of a group; secrets are masked."""
        values = await self._core.link.read(request.path_params["group"], caller_of(request))
        return answer(dict(values))

    async def change(self, request: Request) -> Response:
        """Change a group; answers its values."""
        patch = await object_of(request)
        values = await self._core.link.change(request.path_params["group"], patch, caller_of(request))
        return answer(dict(values))

    async def act(self, request: Request) -> Response:
        """Any listed action."""
        return await self._ask(request, request.path_params["name"], await object_of(request))

    async def _ask(self, request: Request, action: str, data: object, status: int = 200) -> Response:
        return answer(await self._core.link.command(action, data, caller_of(request)), status)
