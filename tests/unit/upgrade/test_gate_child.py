"""Row 36: the child that looks at bundles can do nothing else, and whatever becomes of it is a refusal."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from firmware.core.confined.child import PROGRAM_TREE
from firmware.upgrade import gate
from tests.unit.upgrade.bundles import Workshop
from tests.unit.upgrade.conftest import Refused

ATTEMPTS = """
import ctypes, json, os, socket, subprocess, sys
sys.path.insert(0, sys.argv[1])
from firmware.core.confined.lock import lock_in
folder, writable = sys.argv[2], int(sys.argv[3])
lock_in(cpu_s=5, memory=40 << 20)
libc = ctypes.CDLL(None, use_errno=True)
def libc_call(name, *arguments):
    if getattr(libc, name)(*arguments) == -1:
        raise OSError(ctypes.get_errno(), name)
attempts = {
    "open a new file": lambda: open(f"{folder}/new", "w"),
    "open for writing": lambda: open(f"{folder}/file", "r+"),
    "open for appending": lambda: open(f"{folder}/file", "a"),
    "open in C": lambda: libc_call("open", f"{folder}/new".encode(), os.O_CREAT | os.O_WRONLY, 0o600),
    "write to what is open": lambda: os.write(writable, b"x"),
    "cut what is open": lambda: os.ftruncate(writable, 0),
    "cut": lambda: os.truncate(f"{folder}/file", 0),
    "delete": lambda: os.unlink(f"{folder}/file"),
    "rename": lambda: os.rename(f"{folder}/file", f"{folder}/other"),
    "link": lambda: os.link(f"{folder}/file", f"{folder}/other"),
    "symlink": lambda: os.symlink("file", f"{folder}/other"),
    "make a folder": lambda: os.mkdir(f"{folder}/other"),
    "change rights": lambda: os.chmod(f"{folder}/file", 0o777),
    "reach the network": lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM),
    "reach other programs": lambda: socket.socket(socket.AF_UNIX, socket.SOCK_STREAM),
    "stop another process": lambda: os.kill(os.getppid(), 0),
    "look into another process": lambda: libc_call("ptrace", 16, os.getppid(), 0, 0),
    "leave its session": lambda: os.setsid(),
    "mount": lambda: libc_call("mount", b"none", folder.encode(), b"tmpfs", 0, 0),
    "become root": lambda: os.setresuid(0, 0, 0),
    "leave its namespaces": lambda: libc_call("unshare", 0x20000),
    "take memory": lambda: bytearray(60 << 20),
    "write through a program": lambda: subprocess.run(["/bin/sh", "-c", f": > {folder}/new"], check=True, stderr=-1),
}
done = []
for name, attempt in attempts.items():
    try:
        attempt()
        done.append(name)
    except (OSError, MemoryError, subprocess.CalledProcessError):
        pass
print(json.dumps({"done": done, "reads": open("/proc/self/status").read()}))
"""


def test_row_36_what_is_locked_in_can_read_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("content")
    tmp_path.chmod(0o777)
    (tmp_path / "file").chmod(0o666)
    with (tmp_path / "file").open("r+") as writable:
        ended = subprocess.run(
            [sys.executable, "-I", "-c", ATTEMPTS, str(PROGRAM_TREE), str(tmp_path), str(writable.fileno())],
            pass_fds=(writable.fileno(),),
            capture_output=True,
            text=True,
            check=False,
        )
    assert ended.returncode == 0, ended.stderr
    said: dict[str, Any] = json.loads(ended.stdout)
    assert said["done"] == []
    assert "NoNewPrivs:\t1" in said["reads"]
    assert "Seccomp:\t2" in said["reads"]
    assert "CapEff:\t0000000000000000" in said["reads"]
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_text() == "content"


CHILDREN = {
    "that ends without a word": ("pass", "gate-answer"),
    "that fails": ("raise ValueError", "gate-crashed"),
    "that is killed": ("import os; os.kill(os.getpid(), 9)", "gate-crashed"),
    "that crashes": ("import os; os.abort()", "gate-crashed"),
    "that never answers": ("import threading; threading.Event().wait()", "gate-time"),
    "that answers and stays": ("import os, threading; os.close(1); threading.Event().wait()", "gate-time"),
    "that leaves somebody behind": (
        "import os, threading; os.fork() or threading.Event().wait(); print('{}')",
        "gate-time",
    ),
    "that computes for ever": (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from firmware.core.confined.lock import lock_in; lock_in(cpu_s=1, memory=16 << 20)\nwhile True: pass",
        "gate-time",
    ),
    "that says too much": ("print('x' * 100_000)", "gate-answer"),
    "that says no JSON": ("print('approved')", "gate-answer"),
    "that says nothing of use": ("print('[]')", "gate-answer"),
    "that approves half": ("""print('{"approved": {"version": "9.9"}}')""", "gate-answer"),
    "that names a path": (
        """print('{"approved": {"version": "1.0", "manifest_sha256": "%s", "signer": "release", "counter": 0,'
        '"images": [["rootfs", "../x", 1, "%s"]]}}' % ("0" * 64, "0" * 64))""",
        "gate-answer",
    ),
    "that makes up a signer": (
        """print('{"approved": {"version": "1.0", "manifest_sha256": "%s", "signer": "root", "counter": 0,'
        '"images": []}}' % ("0" * 64))""",
        "gate-answer",
    ),
    "that makes up a reason": ("""print('{"refused": ["because", ""]}')""", "gate-answer"),
}


@pytest.mark.parametrize("kind", CHILDREN)
def test_row_36_a_child_is_a_refusal(
    kind: str, copy_of: Path, workshop: Workshop, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    program, code = CHILDREN[kind]
    monkeypatch.setattr(gate, "_START", program)
    monkeypatch.setattr(gate, "PATIENCE_S", 3.0 if code == "gate-time" else 60.0)
    assert refused(copy_of, workshop.context()) == code


def test_row_36_without_an_interpreter_nothing_is_let_in(
    copy_of: Path, workshop: Workshop, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    assert refused(copy_of, workshop.context()) == "gate-unavailable"


def test_row_36_a_check_that_runs_out_of_memory_is_a_refusal(
    copy_of: Path, workshop: Workshop, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real child with hardly any room: it ends in one way or the other, and lets nothing in."""
    start = gate._START.replace("import main;", "import main; import firmware.upgrade.gate_child as c; c.MEMORY = 0;")
    monkeypatch.setattr(gate, "_START", start)
    assert refused(copy_of, workshop.context()) in ("gate-memory", "gate-crashed", "gate-unavailable")


def children() -> set[str]:
    """The processes that this one has started and that have not been waited for."""
    found: set[str] = set()
    for path in Path("/proc/self/task").glob("*/children"):
        with suppress(FileNotFoundError):  # a thread that has ended meanwhile
            found.update(path.read_text().split())
    return found


def test_the_gate_leaves_no_process_and_no_open_file_behind(good: Path, workshop: Workshop) -> None:
    before = set(os.listdir("/proc/self/fd")), children()
    gate.approve(good, workshop.context())
    assert (set(os.listdir("/proc/self/fd")), children()) == before


LOADS = """
import os, sys
sys.path.insert(0, sys.argv[1])
from firmware.upgrade import gate_child
before = set(sys.modules)
request = gate_child.Request.decode(sys.stdin.buffer.read())
gate_child.examine(os.open(sys.argv[2], os.O_RDONLY), request)
print(sorted(set(sys.modules) - before))
"""


def test_the_check_of_a_good_bundle_loads_nothing_once_the_child_is_locked_in(good: Path, workshop: Workshop) -> None:
    """Locked in, it is nobody, and the program may lie in a folder that only root may enter."""
    ended = subprocess.run(
        [sys.executable, "-I", "-c", LOADS, str(PROGRAM_TREE), str(good)],
        input=gate._request(workshop.context()).encode(),
        capture_output=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr.decode()
    assert ended.stdout.decode().strip() == "[]"
