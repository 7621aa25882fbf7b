"""The words rooms share: each module holds one room's events, states, and action and parameter types.

Importing this package registers every topic, so that the link can read any event of any role.
"""

from firmware.core.vocabulary import (
    access,
    audio,
    certificates,
    clips,
    cloud,
    controller,
    device,
    discovery,
    entries,
    io,
    logs,
    osdp,
    rtsp,
    rules,
    security,
    sound_detection,
    speaker_test,
    speech,
    station,
    upgrade,
    video,
    watch,
)

__all__ = [
    "access",
    "audio",
    "certificates",
    "clips",
    "cloud",
    "controller",
    "device",
    "discovery",
    "entries",
    "io",
    "logs",
    "osdp",
    "rtsp",
    "rules",
    "security",
    "sound_detection",
    "speaker_test",
    "speech",
    "station",
    "upgrade",
    "video",
    "watch",
]
