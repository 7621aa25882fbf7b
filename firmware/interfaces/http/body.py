"""JSON of requests, read so that whatever is taken can also be given back: every face reads bodies with this.

Python's own reader takes more than JSON is: other encodings, numbers that are none, halves of a surrogate pair that
nobody can encode again. None of that gets past here.
"""

from __future__ import annotations

import json
import math


def read_json(data: bytes | str) -> object:
    """The value of a JSON document in UTF-8 (RFC 8259). Raises ValueError, of which JSONDecodeError names the place."""
    text = data.decode("utf-8-sig") if isinstance(data, bytes) else data
    try:
        value: object = json.loads(text, parse_constant=_no_constant, parse_float=_finite)
        if "\\u" in text:
            # Halves of a pair can only come escaped: the bytes were UTF-8.
            json.dumps(value, ensure_ascii=False).encode()
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    except UnicodeEncodeError as error:
        raise ValueError(f"holds half of a surrogate pair, {error.object[error.start]!a}") from None
    return value


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is no number")


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"{text[:20]} is larger than any number here")
    return value
