"""A warmed-up interpreter that becomes a role: what every role would import first is imported once, then it forks.

In the guest a process that starts from nothing costs seconds of the host's processor, most in page faults. What the
child runs is the command line of the firmware, word for word; it inherits modules and nothing else: no loop, no thread,
no file but those of the harness's standard streams.

    a request, one line of JSON: {"words": [...], "environment": {...}, "log": "..."}       the answer: {"pid": 123}
    and whenever a child ends: {"ended": 123, "code": 0}    (negative: the signal)
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import select
import signal
import sys
import traceback
from typing import Any, NoReturn

# What control and network import on their way up, each with all that it imports in turn. What is missing here is
# imported by every role of every test.
MODULES = (
    "firmware.__main__", "firmware.cli.parser", "firmware.child", "firmware.app", "firmware.plan",
    "firmware.access", "firmware.rules", "firmware.io", "firmware.device", "firmware.osdp", "firmware.controller",
    "firmware.sensing", "firmware.security", "firmware.system.network_service", "firmware.system.network_manager",
    "firmware.system.time_service", "firmware.system.time_daemon", "firmware.upgrade.service",
    "firmware.upgrade.early", "firmware.upgrade.engine_file", "firmware.upgrade.engine_rauc",
    "firmware.upgrade.maintenance", "firmware.upgrade.certificate_service",
    "firmware.interfaces.faces", "firmware.interfaces.api.service", "firmware.interfaces.http.server",
    "firmware.interfaces.http.secure", "firmware.interfaces.carrier", "firmware.interfaces.cloud.service",
    "firmware.interfaces.controller.service", "firmware.interfaces.logs.service", "firmware.interfaces.rtsp.service",
    "firmware.certificates", "firmware.certificates.making", "uvicorn.lifespan.off",
    "hal.assemble", "hal.buses.real", "hal.buses.gpio", "hal.buses.gpiod_factory", "hal.buses.i2c", "hal.buses.serial",
    "hal.buses.pulse_child", "hal.drivers.osdp_reader", "hal.drivers.osdp_peripheral", "smbus2", "encodings.idna",
    "encodings.ascii", "tomllib", "argparse", "cryptography.hazmat.backends.openssl.backend",
)  # fmt: skip

MOST_FILES = 1024


def become(request: dict[str, Any]) -> NoReturn:
    """The child: another environment, another log, a session of its own, and the firmware's command line."""
    code = 1
    try:
        os.setsid()
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        null = os.open(os.devnull, os.O_RDONLY)
        for fd, target in ((null, 0), (log, 1), (log, 2)):
            os.dup2(fd, target)
        os.closerange(3, MOST_FILES)
        os.environ.clear()
        os.environ.update(request["environment"])
        sys.argv = ["lintel", *request["words"]]
        from firmware.__main__ import main

        code = main()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
    except BaseException:  # noqa: BLE001 # as an interpreter does at the end of a program
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def bury(answers: int) -> None:
    """Tell of every child that has ended."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        tell(answers, ended=pid, code=os.waitstatus_to_exitcode(status))


def tell(answers: int, **fields: int) -> None:
    """One line to the harness."""
    os.write(answers, json.dumps(fields).encode() + b"\n")


def main(requests: int, answers: int) -> None:
    """Serve requests and answer on these descriptors, until the harness hangs up."""
    for module in MODULES:
        importlib.import_module(module)
    gc.collect()
    gc.freeze()
    wakes, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    tell(answers, ready=1)
    waiting = b""
    while True:
        ready, _, _ = select.select([requests, wakes], [], [])
        if wakes in ready:
            os.read(wakes, 4096)
            bury(answers)
        if requests not in ready:
            continue
        data = os.read(requests, 1 << 20)
        if not data:
            return
        *lines, waiting = (waiting + data).split(b"\n")
        for line in lines:
            pid = os.fork()
            if pid == 0:
                become(json.loads(line))
            tell(answers, pid=pid)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
