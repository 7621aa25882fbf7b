"""What an RTSP address asks for: rtsp://HOST/axis-media/media.amp?event=on, and which events. Pure.

`video` and `audio` may stand there, as these clients write them; this stream carries events only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit

from firmware.core.errors import Invalid, NotFound
from firmware.interfaces.topics.feed import content_filter, topic_filter
from firmware.interfaces.topics.told import Told

MEDIA = "/axis-media/media.amp"
TRACK = "/trackID=1"
ON = ("on", "yes", "1")
MOST_ARGUMENTS = 32

Wanted = Callable[[Told], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """An address as sent (`text`), the same without its track (`stream`), its path, and its arguments."""

    text: str
    stream: str
    path: str
    arguments: Mapping[str, str] = field(default_factory=dict)

    @property
    def track(self) -> str:
        """The address of the one track of this stream."""
        head, mark, query = self.stream.partition("?")
        return f"{head.rstrip('/')}{TRACK}{mark}{query}"

    def check(self) -> None:
        """Raises NotFound when there is no such stream."""
        if self.path != MEDIA:
            raise NotFound(self.path[:128], f"no such stream; there is {MEDIA}?event=on")
        if self.arguments.get("event", "off") not in ON:
            raise NotFound(self.path, "has events only: ask for event=on")

    def wanted(self) -> Wanted:
        """Which events are asked for: `eventtopic` and `eventcontent` together. Raises Invalid for a wrong filter."""
        fits = topic_filter(self.arguments.get("eventtopic") or "//.")
        content = self.arguments.get("eventcontent")
        holds = content_filter(content) if content else lambda _: True
        return lambda told: fits(told.topic) and holds(told)


def read_target(text: str) -> Target:
    """An address. Raises Invalid for one that is none."""
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018 - raises ValueError for a port that is none
        arguments = dict(parse_qsl(parts.query, keep_blank_values=True, max_num_fields=MOST_ARGUMENTS))
    except ValueError:
        raise Invalid("address", "is none, or has too many arguments") from None
    if parts.scheme != "rtsp" or not parts.hostname or "#" in text:
        raise Invalid("address", f"is not rtsp://HOST{MEDIA}?event=on")
    head, mark, query = text.partition("?")
    stream = head.rstrip("/").removesuffix(TRACK) + mark + query if head.rstrip("/").endswith(TRACK) else text
    path = urlsplit(stream).path.rstrip("/")
    return Target(text=text, stream=stream, path=path, arguments=arguments)
