"""The least that handing out pictures can cost a Python process of its own: a loop that waits and sends.

It speaks for the floor in `fan_out.py`: pictures are there already and go to every client in one call each. It
parses nothing, drops nothing, and waits for the slowest.

    python -m bench.bare_loop FRAMES CLIENTS FPS
"""

from __future__ import annotations

import socket
import struct
import sys
import time
from contextlib import suppress
from pathlib import Path

REQUEST_BYTES = 1 << 16
PART = b"--b\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n"


def frames_of(place: Path) -> list[bytes]:
    """The pictures in a file of length and JPEG, as `fan_out.record` writes it."""
    data, found = place.read_bytes(), []
    while data:
        (length,) = struct.unpack_from("<I", data)
        found.append(data[4 : 4 + length])
        data = data[4 + length :]
    return found


def hand_out(connections: list[socket.socket], frames: list[bytes], fps: int) -> None:
    """Send the pictures round and round, so many a second, until a client hangs up."""
    parts = [PART % len(frame) + frame + b"\r\n" for frame in frames]
    due = time.monotonic()
    for number in range(sys.maxsize):
        due += 1 / fps
        time.sleep(max(0.0, due - time.monotonic()))
        for connection in connections:
            connection.sendall(parts[number % len(parts)])


def main() -> int:
    """Print the port, wait for all clients, then hand out."""
    frames, clients, fps = frames_of(Path(sys.argv[1])), int(sys.argv[2]), int(sys.argv[3])
    listener = socket.create_server(("127.0.0.1", 0), backlog=clients)
    print(listener.getsockname()[1], flush=True)
    connections = []
    for _ in range(clients):
        connection, _ = listener.accept()
        connection.recv(REQUEST_BYTES)
        connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=b\r\n\r\n")
        connections.append(connection)
    with suppress(OSError):  # whoever counts has seen enough
        hand_out(connections, frames, fps)
    return 0


if __name__ == "__main__":
    sys.exit(main())
