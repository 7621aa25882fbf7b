"""Echo cancellation, noise suppression and automatic gain by libspeexdsp, loaded at run time.

One object belongs to one microphone and is used by one thread at a time. Source: the header files of libspeexdsp 1.2
(speex_echo.h, speex_preprocess.h); the library is a package of the operating system.
"""

from __future__ import annotations

import ctypes
import functools

from hal.errors import BusError

LIBRARY = "libspeexdsp.so.1"

# Requests of speex_preprocess_ctl and speex_echo_ctl.
SET_DENOISE = 0
SET_AGC = 2
SET_AGC_LEVEL = 6
SET_ECHO_STATE = 24
ECHO_SET_SAMPLING_RATE = 24

# What automatic gain aims at, as amplitude of 16 bits.
GAIN_LEVEL = 8000.0

_POINTERS = ("speex_echo_state_init", "speex_preprocess_state_init")


@functools.cache
def load() -> ctypes.CDLL:
    """The library. Raises BusError where this system has none."""
    try:
        library = ctypes.CDLL(LIBRARY)
    except OSError as error:
        raise BusError("speexdsp", f"{LIBRARY} cannot be loaded ({error}); install the package libspeexdsp1") from error
    for name in _POINTERS:
        getattr(library, name).restype = ctypes.c_void_p
    return library


class SpeexVoice:
    """Cleans blocks of speech of one channel.

    The echo canceller learns the way from the far end's sound to the microphone, up to `tail_ms` long; what it cannot
    take away the preprocessor attenuates. All memory is the library's and is given back by `close`.
    """

    def __init__(self, rate_hz: int, frame: int, tail_ms: int) -> None:
        """`frame` is the samples of a block. Raises BusError where the library is missing."""
        self._library = load()
        self.frame = frame
        self._echo = ctypes.c_void_p(self._library.speex_echo_state_init(frame, rate_hz * tail_ms // 1000))
        self._shape = ctypes.c_void_p(self._library.speex_preprocess_state_init(frame, rate_hz))
        self._out = (ctypes.c_int16 * frame)()
        self._library.speex_echo_ctl(self._echo, ECHO_SET_SAMPLING_RATE, ctypes.byref(ctypes.c_int(rate_hz)))
        self._cancels = False
        self.set(echo=False, noise=False, gain=False)

    def set(self, *, echo: bool, noise: bool, gain: bool) -> None:
        """Switch the three parts; what the canceller has learned is forgotten when it is switched off."""
        if self._cancels and not echo:
            self._library.speex_echo_state_reset(self._echo)
        self._cancels = echo
        self._control(SET_DENOISE, ctypes.c_int(noise))
        self._control(SET_AGC, ctypes.c_int(gain))
        self._control(SET_AGC_LEVEL, ctypes.c_float(GAIN_LEVEL))
        linked = self._echo if echo else None
        self._library.speex_preprocess_ctl(self._shape, SET_ECHO_STATE, linked)

    def _control(self, request: int, value: ctypes.c_int | ctypes.c_float) -> None:
        self._library.speex_preprocess_ctl(self._shape, request, ctypes.byref(value))

    def process(self, near: bytes, far: bytes) -> bytes:
        """A block of the microphone without what came of the block that was played; 16-bit samples of this machine.

        Raises ValueError for a block of another length, and once closed.
        """
        if not self._shape:
            raise ValueError("this filter is closed")
        if len(near) != 2 * self.frame or len(far) != 2 * self.frame:
            raise ValueError(f"blocks of {len(near)} and {len(far)} bytes are not of {2 * self.frame}")
        if self._cancels:
            self._library.speex_echo_cancellation(self._echo, near, far, self._out)
        else:
            ctypes.memmove(self._out, near, len(near))
        self._library.speex_preprocess_run(self._shape, self._out)
        return bytes(self._out)

    def close(self) -> None:
        """Give the memory back; closing twice is harmless."""
        shape, self._shape = self._shape, ctypes.c_void_p(None)
        echo, self._echo = self._echo, ctypes.c_void_p(None)
        if shape:
            self._library.speex_preprocess_state_destroy(shape)
        if echo:
            self._library.speex_echo_state_destroy(echo)
