"""G.711 mu-law, the sound of telephones: 16-bit samples in 8 bits (ITU-T G.711, table 2a). Pure."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from firmware.audio.pcm import Mono16

Bytes = npt.NDArray[np.uint8]
BIAS = 0x84  # 33 steps of the finest segment, on 16 bits
CLIP = 0x7FFF - BIAS


def _decoded() -> Mono16:
    """The sample that each code stands for."""
    code = ~np.arange(256, dtype=np.uint8)
    exponent, mantissa = (code >> 4) & 7, (code & 15).astype(np.int32)
    magnitude = (((mantissa << 3) + BIAS) << exponent) - BIAS
    return np.where(code & 0x80, -magnitude, magnitude).astype(np.int16)


def _encoded() -> Bytes:
    """The code of each 16-bit sample, by its bits as an unsigned number."""
    samples = np.arange(1 << 16, dtype=np.uint16).view(np.int16).astype(np.int32)
    magnitude = np.minimum(np.abs(samples), CLIP) + BIAS
    exponent = (np.floor(np.log2(magnitude)).astype(np.int32) - 7).clip(0, 7)
    mantissa = (magnitude >> (exponent + 3)) & 15
    sign = np.where(samples < 0, 0x80, 0)
    codes: Bytes = (~(sign | exponent << 4 | mantissa)).astype(np.uint8)
    return codes


_DECODED, _ENCODED = _decoded(), _encoded()


def decode(data: bytes) -> Mono16:
    """Samples of codes."""
    return _DECODED[np.frombuffer(data, np.uint8)]


def encode(samples: Mono16) -> bytes:
    """Codes of samples; what is louder than the law knows is cut off."""
    return _ENCODED[samples.view(np.uint16)].tobytes()
