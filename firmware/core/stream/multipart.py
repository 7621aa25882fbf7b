"""Pictures as the parts of an endless answer, the same bytes whichever role sends them."""

from __future__ import annotations

# The name that programs for cameras look for, whatever the header says.
BOUNDARY = "myboundary"
DELIMITER = f"--{BOUNDARY}\r\n".encode()


def part_of(jpeg: bytes, number: int) -> bytes:
    """A picture as a part of the answer. The next boundary goes with it: browsers show a picture when they see that.

    Source: RFC 2046, 5.1; the header `x-frame` is the picture's number since the camera started, 0 for no signal.
    """
    head = b"Content-Type: image/jpeg\r\nContent-Length: %d\r\nx-frame: %d\r\n\r\n" % (len(jpeg), number)
    return b"".join((head, jpeg, b"\r\n", DELIMITER))
