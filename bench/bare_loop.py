"""The least that handing out pictures can cost a process of its own: a loop that receives each and sends it on.

It speaks for the floor in `pictures_bench.py`: pictures come over a Unix socket, as they come to the network role from
the media role, and go to every client in one call each. It parses nothing, drops nothing, and waits for the slowest.

    python -m bench.bare_loop FRAMES CLIENTS FPS
"""

from __future__ import annotations

import os
import socket
import struct
import sys
import time
from pathlib import Path

MOST_BYTES = 1 << 20
PART = b"--b\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n"


def frames_of(place: Path) -> list[bytes]:
    """The pictures in a file of length and JPEG, as `pictures_bench.record` writes it."""
    data, found = place.read_bytes(), []
    while data:
        (length,) = struct.unpack_from("<I", data)
        found.append(data[4 : 4 + length])
        data = data[4 + length :]
    return found


def feed(source: socket.socket, frames: list[bytes], fps: int) -> None:
    """Send the pictures round and round, so many a second, until the far end is gone."""
    parts = [PART % len(frame) + frame + b"\r\n" for frame in frames]
    due = time.monotonic()
    for number in range(sys.maxsize):
        due += 1 / fps
        time.sleep(max(0.0, due - time.monotonic()))
        try:
            source.sendall(parts[number % len(parts)])
        except OSError:
            return


def main() -> int:
    """Print the port, wait for all clients, then hand out until one of them hangs up."""
    frames, clients, fps = frames_of(Path(sys.argv[1])), int(sys.argv[2]), int(sys.argv[3])
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    listener = socket.create_server(("127.0.0.1", 0), backlog=clients)
    print(listener.getsockname()[1], flush=True)
    connections = []
    for _ in range(clients):
        connection, _ = listener.accept()
        connection.recv(MOST_BYTES)
        connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=b\r\n\r\n")
        connections.append(connection)
    if os.fork() == 0:
        near.close()
        feed(far, frames, fps)
        os._exit(0)
    far.close()
    try:
        while True:
            picture = near.recv(MOST_BYTES)
            for connection in connections:
                connection.sendall(picture)
    except OSError:
        return 0


if __name__ == "__main__":
    sys.exit(main())
