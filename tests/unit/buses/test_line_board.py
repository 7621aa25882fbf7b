"""gpiozero's picture of a chip that is not on a Pi, and the thread that waits for edges."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from hal.buses.line_board import board_of, lines_as_board
from hal.buses.pins import check_offsets
from hal.buses.readiness import ThreadReadiness
from hal.errors import BusError


def test_every_line_of_a_chip_is_found_by_number_text_and_unique_name() -> None:
    board = lines_as_board("pca9535", ["DOOR", None, "NC", "NC", ""])
    for offset in range(5):
        for name in (offset, str(offset), f"GPIO{offset}"):
            assert [pin.name for _, pin in board.find_pin(name)] == [f"GPIO{offset}"]
    assert [pin.name for _, pin in board.find_pin("DOOR")] == ["GPIO0"]
    assert list(board.find_pin("NC")) == []
    assert list(board.find_pin(5)) == []


def test_a_chip_that_is_not_the_header_is_its_own_board() -> None:
    assert board_of("pca9535", [None]).model == "pca9535"


def test_a_header_chip_on_a_machine_that_is_no_pi_is_its_own_board() -> None:
    if "Revision" in Path("/proc/cpuinfo").read_text():
        pytest.skip("this machine is a Pi")
    assert board_of("pinctrl-rp1", [None]).model == "pinctrl-rp1"


def test_a_negative_line_is_refused() -> None:
    with pytest.raises(BusError, match="gpio0:-1: line numbers start at 0"):
        check_offsets("gpio0", [3, -1])


def test_the_thread_calls_back_goes_on_after_a_failing_callback_and_ends() -> None:
    reads = ThreadReadiness()
    near, far = os.pipe()
    called = threading.Event()
    calls: list[bytes] = []

    def ready() -> None:
        calls.append(os.read(near, 1))
        called.set()
        if len(calls) == 1:
            raise ValueError("a script's mistake")

    reads.watch(near, ready)
    for _ in range(2):
        called.clear()
        os.write(far, b"x")
        assert called.wait(60)
    reads.forget(near)
    reads.forget(near)
    os.write(far, b"y")
    assert not called.wait(0) or calls == [b"x", b"x"]
    reads.close()
    reads.close()
    assert "gpio edges" not in {thread.name for thread in threading.enumerate()}
    assert calls == [b"x", b"x"]
    os.close(near)
    os.close(far)
