"""Locks a process in before it looks at foreign bytes: no privileges, no network, no writing, bounded time and memory.

Each lock is taken where the kernel allows it; the filter of system calls and the limits need no privileges.
Reference: Linux, prctl(2), seccomp(2), setrlimit(2), unshare(2).
"""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import struct

NOBODY = 65534
# Doors, readers and rules go first on the same processor.
PATIENT = 10
_NO_NEW_PRIVS, _SET_SECCOMP, _FILTER = 38, 22, 2
_CAPABILITIES = 0x20080522
_NEW_NET, _NEW_USER = 0x40000000, 0x10000000
_LOAD, _JUMP_EQUAL, _JUMP_AT_LEAST, _JUMP_SET, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _DENY, _KILL = 0x7FFF0000, 0x00050000 | 1, 0x80000000  # allow; EPERM; end the process
# O_WRONLY, O_RDWR, O_CREAT, O_TRUNC and O_APPEND: whoever only reads sets none of them.
_WRITING = 0o3 | 0o100 | 0o1000 | 0o2000

# Sockets, other processes, leaving the session (by which the child is ended); names in the file system, rights;
# mounts, namespaces, keys, and ways around a filter.
_DENIED = {
    "x86_64": (
        *(41, 42, 49, 50, 53, 62, 200, 234, 424, 101, 310, 311, 109, 112),
        *(76, 77, 82, 83, 84, 85, 86, 87, 88, 90, 91, 92, 93, 94, 133, 258, 259, 260, 263, 264, 265, 266, 268, 316),
        *(188, 189, 190, 165, 166, 428, 429, 430, 432, 161, 272, 308, 248, 249, 250, 321, 425, 426, 427, 437, 452),
    ),
    "aarch64": (
        *(198, 203, 200, 201, 199, 129, 130, 131, 424, 117, 270, 271, 154, 157),
        *(45, 46, 34, 33, 35, 36, 37, 38, 276, 52, 53, 54, 55),
        *(5, 6, 7, 40, 39, 428, 429, 430, 432, 51, 97, 268, 217, 218, 219, 280, 425, 426, 427, 437, 452),
    ),
}
# Starting another program: what needs none is denied these as well.
_STARTING = {"x86_64": (59, 322), "aarch64": (221, 281)}
# The system calls that open a file, with the number of the argument that carries the flags.
_OPENING = {"x86_64": ((2, 1), (257, 2)), "aarch64": ((56, 2),)}
_ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
# Numbers of the second table of system calls on x86-64 begin here.
_X32 = 0x40000000


def lock_in(*, cpu_s: int, memory: int, longest_cpu_s: int | None = None, programs: bool = True) -> None:
    """Lock this process in for good; `memory` in bytes beyond what it has now. Raises OSError.

    Everything that is to be imported or opened has to be by now: what is open stays usable. `allow_cpu` may raise the
    processor time to `longest_cpu_s`. With `programs` false no other program can be started either.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    os.nice(PATIENT)
    as_root = os.geteuid() == 0
    # Where neither is allowed, the filter below still forbids sockets.
    libc.unshare(_NEW_NET if as_root else _NEW_USER | _NEW_NET)
    if as_root:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    _limit(resource.RLIMIT_AS, _address_space() + memory)
    _limit(resource.RLIMIT_CPU, cpu_s, max(cpu_s, longest_cpu_s or 0) + 1)  # a signal that tells of it, then the end
    _limit(resource.RLIMIT_FSIZE, 0)
    _limit(resource.RLIMIT_CORE, 0)
    if libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "the kernel does not give up privileges")
    _drop_capabilities(libc)
    _filter_calls(libc, programs)


def allow_cpu(cpu_s: int) -> None:
    """Give this process so many seconds of processor time in all, within what `lock_in` left room for."""
    _limit(resource.RLIMIT_CPU, cpu_s, resource.getrlimit(resource.RLIMIT_CPU)[1])


def _drop_capabilities(libc: ctypes.CDLL) -> None:
    """A new user namespace gives all of them, for itself: none is needed. Raises OSError."""
    header, nothing = struct.pack("=Ii", _CAPABILITIES, 0), bytes(24)
    if libc.capset(header, nothing) != 0:
        raise OSError(ctypes.get_errno(), "the kernel does not take capabilities back")


def _limit(what: int, soft: int, hard: int | None = None) -> None:
    """Lower a limit; one that is lower already stays."""
    wanted = soft, soft if hard is None else hard
    allowed = resource.getrlimit(what)[1]
    soft, hard = (one if allowed == resource.RLIM_INFINITY else min(one, allowed) for one in wanted)
    resource.setrlimit(what, (soft, hard))


def _address_space() -> int:
    with open("/proc/self/statm", "rb") as statm:
        return int(statm.read().split()[0]) * resource.getpagesize()


def _filter_calls(libc: ctypes.CDLL, programs: bool) -> None:
    """Install the filter; on an architecture without a table the other locks stand alone. Raises OSError."""
    machine = platform.machine()
    if machine not in _DENIED:
        return
    code = b"".join(_program(machine, programs))
    buffer = ctypes.create_string_buffer(code, len(code))

    class Program(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("code", ctypes.c_void_p)]

    program = Program(len(code) // 8, ctypes.addressof(buffer))
    if libc.prctl(_SET_SECCOMP, _FILTER, ctypes.byref(program), 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "the kernel does not filter system calls")


def _program(machine: str, programs: bool) -> list[bytes]:
    """The filter as instructions of the kernel's packet filter."""

    def step(code: int, value: int, then: int = 0, otherwise: int = 0) -> bytes:
        return struct.pack("=HBBI", code, then, otherwise, value)

    steps = [step(_LOAD, 4), step(_JUMP_EQUAL, _ARCHITECTURE[machine], 1, 0), step(_RETURN, _KILL), step(_LOAD, 0)]
    if machine == "x86_64":
        steps += [step(_JUMP_AT_LEAST, _X32, 0, 1), step(_RETURN, _KILL)]
    for number in (*_DENIED[machine], *(() if programs else _STARTING[machine])):
        steps += [step(_JUMP_EQUAL, number, 0, 1), step(_RETURN, _DENY)]
    for number, argument in _OPENING[machine]:
        flags = 16 + 8 * argument
        steps += [step(_JUMP_EQUAL, number, 0, 4), step(_LOAD, flags), step(_JUMP_SET, _WRITING, 0, 1)]
        steps += [step(_RETURN, _DENY), step(_RETURN, _ALLOW)]
    return [*steps, step(_RETURN, _ALLOW)]
