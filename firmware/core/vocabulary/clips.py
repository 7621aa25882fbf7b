"""Words of audio clips: what is kept, what plays, and what is asked of them (manual 000, Audio clips)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from firmware.core.events import Pulse, State, topic

LONGEST_NAME = 64
# As the manual counts: 0 plays once, 1 once more; -1 goes on until it is stopped.
FOR_EVER = -1

ClipId = Annotated[str, Field(pattern=r"^[0-9a-f]{12}$")]
ClipName = Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)]
SpoolName = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
# In percent of what was recorded; 100 leaves it as it is.
Volume = Annotated[int, Field(ge=0, le=1000)]
Repeat = Annotated[int, Field(ge=FOR_EVER, le=9999)]


@topic("audio/clips")
@dataclass(frozen=True, slots=True, kw_only=True)
class ClipState(State):
    """A clip that is kept: `format` au, mp3, opus, vorbis or wav, its encoding in words, rate and channels as uploaded.

    `size` is that of the file in bytes. One that is not `ready` cannot be played now: `detail` says why.
    """

    keys: ClassVar[tuple[str, ...]] = ("clip",)
    clip: str
    name: str
    format: str
    encoding: str
    rate_hz: int
    channels: int
    length_s: float
    size: int
    ready: bool = True
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Playing:
    """A clip that plays: `playing` names this one playing of it; `volume` in percent; `repeat` as it was asked for."""

    playing: str
    clip: str
    name: str
    volume: int
    repeat: int


@topic("audio/playing")
@dataclass(frozen=True, slots=True, kw_only=True)
class PlayingState(State):
    """Whether a clip plays, and which: the condition "Audio clip playing" of the manual."""

    active: bool
    clips: tuple[Playing, ...] = ()


@topic("audio/clip/started")
@dataclass(frozen=True, slots=True, kw_only=True)
class ClipStarted(Pulse):
    """A clip begins to sound."""

    playing: str
    clip: str
    name: str
    volume: int
    repeat: int
    by: str


@topic("audio/clip/stopped")
@dataclass(frozen=True, slots=True, kw_only=True)
class ClipStopped(Pulse):
    """The last sample of a clip is out; `why` is `ended` (by itself), `stopped`, `deleted` or `closing`."""

    playing: str
    clip: str
    name: str
    why: str


@topic("audio/clip/failed")
@dataclass(frozen=True, slots=True, kw_only=True)
class ClipFailed(Pulse):
    """A clip that played could not be played to its end."""

    playing: str
    clip: str
    name: str
    code: str
    message: str


@topic("audio/clip/changed")
@dataclass(frozen=True, slots=True, kw_only=True)
class ClipChanged(Pulse):
    """Somebody changed what is kept: a clip was `added`, `renamed` or `deleted`."""

    clip: str
    name: str
    change: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipPlayParams:
    """Play a clip, named by its id or by its name, on an output (without one on the first). See `FOR_EVER`."""

    clip: ClipId | None = None
    name: ClipName | None = None
    repeat: Repeat = 0
    volume: Volume = 100
    output: Annotated[str, Field(min_length=1, max_length=32)] | None = None

    @model_validator(mode="after")
    def _one_clip(self) -> Self:
        if (self.clip is None) == (self.name is None):
            raise ValueError("either clip (its id) or name says which clip")
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipPlayAnswer:
    """What plays now; `playing` is what stops this one."""

    playing: str
    clip: str
    name: str
    length_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipStopParams:
    """Stop one playing, or all of a clip named by its id or name; without any word all that plays."""

    playing: Annotated[str, Field(min_length=1, max_length=32)] | None = None
    clip: ClipId | None = None
    name: ClipName | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipStopAnswer:
    """How many were stopped."""

    stopped: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipRef:
    """A clip by its id."""

    clip: ClipId


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipRenameParams:
    """Give a clip another name."""

    clip: ClipId
    name: ClipName


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipAddParams:
    """Keep the file that lies in the spool as a clip; without a name it is called as `filename`, the sender's word."""

    spool: SpoolName
    filename: Annotated[str, Field(max_length=255)] = ""
    name: Annotated[str, Field(max_length=255)] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipLendParams:
    """Put the file of a clip into the spool under this name, for who downloads it."""

    clip: ClipId
    spool: SpoolName


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipView:
    """A clip as lists show it; see ClipState."""

    clip: str
    name: str
    format: str
    encoding: str
    rate_hz: int
    channels: int
    length_s: float
    size: int
    ready: bool
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipList:
    """All clips, by name."""

    clips: tuple[ClipView, ...]
