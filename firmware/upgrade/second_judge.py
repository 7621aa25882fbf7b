"""The other opinion on a signature: `openssl cms -verify`, which has to come to the same manifest."""

from __future__ import annotations

import fcntl
import os
import subprocess
from datetime import datetime

from firmware.upgrade.refusals import Refusal, Why

OPENSSL = "/usr/bin/openssl"
LONGEST_S = 10
PIPE_BYTES = 1 << 20
_F_SETPIPE_SZ = 1031


def content_of(signature: bytes, trusted: bytes, now: datetime) -> bytes:
    """What a signature covers, when OpenSSL accepts it with these roots and revocation lists. Raises Refusal."""
    # A pipe instead of a file: the child that asks can write none. It is filled before it is read.
    reading, writing = os.pipe()
    try:
        try:
            _fill(writing, trusted)
        finally:
            os.close(writing)
        ended = subprocess.run(
            _command(reading, now),
            input=signature,
            capture_output=True,
            pass_fds=(reading,),
            env={},
            timeout=LONGEST_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Refusal(Why.CHILD_TIME, "openssl") from None
    except OSError as error:
        raise Refusal(Why.CHILD_MISSING, f"{OPENSSL}: {error.strerror}") from None
    finally:
        os.close(reading)
    if ended.returncode != 0:
        raise Refusal(Why.SECOND_JUDGE, _reason(ended.stderr))
    return ended.stdout


def _fill(writing: int, data: bytes) -> None:
    """Put all of it into the pipe at once. Raises OSError when it is not large enough."""
    if len(data) > 16 * 4096:
        fcntl.fcntl(writing, _F_SETPIPE_SZ, PIPE_BYTES)
    os.set_blocking(writing, False)
    if os.write(writing, data) != len(data):
        raise OSError(0, "the keyring does not fit into a pipe")


def _command(roots: int, now: datetime) -> list[str]:
    trust = ["-CAfile", f"/dev/fd/{roots}", "-no-CApath", "-no-CAstore"]
    # The purpose is judged by our own code: this OpenSSL has none for signing code.
    rules = ["-purpose", "any", "-crl_check_all", "-attime", str(int(now.timestamp()))]
    return [OPENSSL, "cms", "-verify", "-binary", "-inform", "DER", *trust, *rules]


def _reason(stderr: bytes) -> str:
    """The last word of OpenSSL's complaint, such as 'certificate has expired'."""
    lines = stderr[-2000:].decode("ascii", "replace").strip().splitlines()
    return lines[-1].rpartition(":")[2][:80] if lines else "no reason given"
