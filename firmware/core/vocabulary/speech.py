"""Words of speech at an audio input: what is done for it, and how well."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from firmware.core.events import State, topic


@topic("audio/speech")
@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechState(State):
    """Echo and noise cancellation and automatic gain of an input; the journal does not keep it.

    `available` is false, and `detail` says why, where the device has no library for it: then sound comes as it is.
    `echo_loss_db` is how much of the echo is taken away (mean of the last seconds in which the speaker played), known
    while somebody listens.
    """

    keys: ClassVar[tuple[str, ...]] = ("input",)
    journalled: ClassVar[bool] = False
    input: str
    available: bool
    detail: str
    echo_cancellation: bool
    noise_cancellation: bool
    automatic_gain: bool
    listeners: int
    echo_loss_db: int | None
