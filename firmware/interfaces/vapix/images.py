"""Pictures for programs: jpg/image.cgi, mjpg/video.cgi, imagesize.cgi, videostatus.cgi, and the leaves about cameras.

Cameras are counted from 1 in `camera`, from 0 in the parameter tree. Arguments that say nothing about pictures are
left alone: clients add numbers to an address so that no cache answers it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from starlette.responses import Response

from firmware.core.actions import Level
from firmware.core.context import Core
from firmware.core.errors import Invalid
from firmware.core.stream.wire import Cut
from firmware.core.vocabulary.video import Signal, VideoSource
from firmware.interfaces.http.credentials import address_of
from firmware.interfaces.vapix.asked import Address, Asked, plain
from firmware.interfaces.vapix.envelope import NEWER, Call, JsonApi, Method, Refusal
from firmware.interfaces.vapix.leaves import fixed
from firmware.interfaces.vapix.param_tree import Kind, Leaf
from firmware.interfaces.video.mjpeg import MjpegAnswer, check_fps, cut_of
from firmware.interfaces.video.place import Place
from firmware.interfaces.video.views import Views
from hal.errors import nearest

WHERE = ""
IMAGE = "/axis-cgi/jpg/image.cgi"
VIDEO = "/axis-cgi/mjpg/video.cgi"
MOST_SECONDS = 86_400
MOST_PICTURES = 1_000_000


class ImageCgis:
    """The addresses of the cameras of `views`, in the order of the board file."""

    def __init__(self, core: Core, views: Views) -> None:
        self._core = core
        self._views = views
        self._places = tuple(views.places.values())

    def addresses(self) -> tuple[Address, ...]:
        """The text and picture addresses; none on a device without a camera."""
        if not self._places:
            return ()
        return (
            Address(path=IMAGE, endpoint=self._image, level=Level.VIEWER),
            Address(path=VIDEO, endpoint=self._video, level=Level.VIEWER),
            Address(path="/axis-cgi/imagesize.cgi", endpoint=self._size, level=Level.VIEWER),
            Address(path="/axis-cgi/videostatus.cgi", endpoint=self._status, level=Level.VIEWER),
        )

    def apis(self) -> tuple[JsonApi, ...]:
        """The JSON addresses: profiles of streams, of which none is kept, and areas, of which each camera is one."""
        if not self._places:
            return ()
        return (
            JsonApi(
                id="stream-profiles",
                name="Stream Profiles",
                path="/axis-cgi/streamprofile.cgi",
                codes=NEWER,
                methods={"list": Method(run=self._profiles)},
            ),
            JsonApi(
                id="view-area",
                name="View Area",
                path="/axis-cgi/viewarea/info.cgi",
                codes=NEWER,
                methods={"list": Method(run=self._areas)},
            ),
        )

    def leaves(self) -> Iterable[Leaf]:
        """Properties.Image and Image, and StreamProfile; nothing on a device without a camera."""
        if not self._places:
            return
        states = [self._views.state(place) for place in self._places]
        sizes = sizes_of(states, self._places)
        yield from fixed("Properties.Image", {
            "Format": "jpeg,mjpeg",
            "NbrOfViews": str(len(self._places)),
            "Resolution": ",".join(sizes),
        })  # fmt: skip
        yield Leaf(name="Image.NbrOfConfigs", value=str(len(self._places)), kind=Kind.NUMBER)
        for number, (place, state) in enumerate(zip(self._places, states, strict=True)):
            group = f"Image.I{number}"
            width, height = (state.width, state.height) if state is not None else (place.width, place.height)
            fps = state.fps if state is not None else place.fps
            yield from fixed(group, {"Enabled": "yes", "Name": place.alias, "Source": str(number)})
            yield from fixed(f"{group}.Appearance", {"ColorEnabled": "yes", "Resolution": f"{width}x{height}"})
            yield from fixed(f"{group}.Stream", {"Duration": "0", "FPS": f"{fps:g}", "NbrOfFrames": "0"})
        yield Leaf(name="StreamProfile.MaxGroups", value="0", kind=Kind.NUMBER)

    async def image(self, number: str = "1") -> bytes | None:
        """The newest picture of a camera for a report; None on a device without one. Raises Unavailable."""
        return (await self._views.snapshot(self._place(number), Cut())).data if self._places else None

    def _place(self, camera: str) -> Place:
        """The camera of that number or name. Raises Invalid with the nearest one."""
        known = [str(number) for number in range(1, len(self._places) + 1)]
        if camera in known:
            return self._places[int(camera) - 1]
        for place in self._places:
            if camera == place.alias:
                return place
        hint = nearest(camera[:40], [*known, *(place.alias for place in self._places)])
        raise Invalid("camera", f"no camera {camera[:40]!r}{hint}; valid: 1 to {len(known)}")

    def _wanted(self, words: Mapping[str, str]) -> tuple[Place, Cut]:
        place = self._place(words.get("camera", "1"))
        compression = number_of(words, "compression", most=100)
        return place, cut_of(self._views, place, words.get("resolution"), compression, WHERE)

    async def _image(self, asked: Asked) -> Response:
        """One picture. Raises Invalid; Unavailable without a signal."""
        place, cut = self._wanted(await asked.arguments())
        jpeg = await self._views.snapshot(place, cut, address_of(asked.request.scope))
        return Response(jpeg.data, media_type="image/jpeg", headers={"cache-control": "no-store"})

    async def _video(self, asked: Asked) -> Response:
        """Pictures until somebody hangs up, or as many or as long as asked for. Raises Invalid, Unavailable."""
        words = await asked.arguments()
        place, cut = self._wanted(words)
        profile = words.get("streamprofile", "")
        if profile:
            raise Invalid("streamprofile", f"no profile {profile[:40]!r}; this device keeps none")
        fps = number_of(words, "fps", most=1000) or 0
        check_fps(place, fps, WHERE)
        most = number_of(words, "nbrofframes", most=MOST_PICTURES) or 0
        for_s = number_of(words, "duration", most=MOST_SECONDS) or 0
        return MjpegAnswer(self._core, self._views, place, cut, fps, asked.caller, most=most, for_s=for_s)

    async def _size(self, asked: Asked) -> Response:
        """The size that a picture with these arguments would have."""
        place, cut = self._wanted(await asked.arguments())
        state = self._views.state(place)
        own = (state.width, state.height) if state is not None else (place.width, place.height)
        width, height = (cut.width, cut.height) if cut.width else own
        return plain(f"image width = {width}\nimage height = {height}\n")

    async def _status(self, asked: Asked) -> Response:
        """Whether there is a signal, by camera: `status=1,2`."""
        asked_for = (await asked.arguments()).get("status", "1")
        lines = []
        for camera in asked_for.split(",")[:16]:
            place = self._place(camera.strip())
            state = self._views.state(place)
            runs = state is not None and state.phase is Signal.RUNNING
            lines.append(f"Video {self._places.index(place) + 1} = {'video' if runs else 'no video'}\n")
        return plain("".join(lines))

    async def _profiles(self, call: Call) -> Mapping[str, Any]:
        """All profiles, or those named. Raises Refusal for a name, since none is kept."""
        wanted = call.items("streamProfileName") if call.has("streamProfileName") else []
        if wanted:
            raise Refusal(call.codes.invalid, "streamProfileName: this device keeps no stream profiles")
        return {"streamProfile": [], "maxProfiles": 0}

    async def _areas(self, _: Call) -> Mapping[str, Any]:
        """Each camera as one area that cannot be changed."""
        numbers = range(1, len(self._places) + 1)
        return {"viewAreas": [{"id": n, "source": n, "camera": n, "configurable": False} for n in numbers]}


def sizes_of(states: Sequence[VideoSource | None], places: Sequence[Place]) -> list[str]:
    """The resolutions that some camera has, the largest first."""
    sizes = [size for state in states if state is not None for size in state.sizes]
    return list(dict.fromkeys(sizes or [f"{place.width}x{place.height}" for place in places]))


def number_of(words: Mapping[str, str], name: str, *, most: int) -> int | None:
    """An argument that is a whole number; None when it is absent. Raises Invalid."""
    text = words.get(name, "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) <= most):
        raise Invalid(name, f"{text[:20]!r} is not a whole number from 0 to {most}")
    return int(text)
