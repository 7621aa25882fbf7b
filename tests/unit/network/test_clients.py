"""Connected clients: the kernel's tables read, and what of them belongs to this device."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from firmware.core.vocabulary.certificates import HttpState
from firmware.interfaces.net.clients import (
    LISTEN,
    MOST,
    Socket,
    address_of,
    clients,
    connected,
    owned,
    ports_of,
    processes,
    read_table,
)

TABLE = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 11 1 0 100 0 0 10 0
   1: 5A00A8C0:1F90 0700A8C0:C350 01 00000000:00000000 00:00000000 00000000     0        0 12 1 0 20 4 30 10 -1
   2: 5A00A8C0:1F90 0800A8C0:C351 06 00000000:00000000 03:00000000 00000000     0        0 0 3 0
nonsense
   3: 5A00A8C0:0016 0900A8C0:C352 01 00000000:00000000 00:00000000 00000000     0        0 99 1 0 20 4 30 10 -1
   4: 5A00A8C0:D431 0A00A8C0:0202 02 00000000:00000000 00:00000000 00000000     0        0 13 1 0 20 4 30 10 -1
"""
OWNERS = {11: ("network", 5), 12: ("network", 5), 13: ("network", 5)}


def test_a_table_of_the_kernel_is_read_line_by_line_and_nonsense_left_out() -> None:
    first, *_, last = read_table(TABLE)
    assert first == Socket(local="127.0.0.1", local_port=8080, remote="0.0.0.0", remote_port=0, state=LISTEN, inode=11)
    assert (last.remote, last.remote_port) == ("192.168.0.10", 514)
    assert len(read_table(TABLE)) == 5


def test_an_address_of_version_6_is_read_and_a_mapped_one_is_the_one_inside() -> None:
    assert address_of("000080FE00000000FF005450B6AD1DFE") == "fe80::5054:ff:fe1d:adb6"
    assert address_of("0000000000000000FFFF00000700A8C0") == "192.168.0.7"


def test_clients_are_the_connections_of_this_device_and_of_no_other_program() -> None:
    found = connected(read_table(TABLE), OWNERS, ports_of(HttpState(http="127.0.0.1:8080", https="")))
    assert [(each.address, each.port, each.protocol, each.state, each.incoming, each.role) for each in found] == [
        ("192.168.0.7", 50000, "http", "established", True, "network"),
        ("192.168.0.8", 50001, "http", "time_wait", True, ""),
        ("192.168.0.10", 514, "tcp", "syn_sent", False, "network"),
    ]


SOCKETS = st.builds(
    Socket, local=st.just("10.0.0.1"), local_port=st.integers(1, 5), remote=st.just("10.0.0.2"),
    remote_port=st.integers(1, 5), state=st.integers(0, 13), inode=st.integers(0, 5),
)  # fmt: skip


@given(st.lists(SOCKETS, max_size=20), st.sets(st.integers(1, 5)))
def test_nothing_of_another_program_is_ever_shown(sockets: list[Socket], ours: set[int]) -> None:
    found = connected(sockets, {inode: ("network", 1) for inode in ours}, {})
    doors = {each.local_port for each in sockets if each.state == LISTEN and each.inode in ours}
    for client in found:
        assert client.state != "listen"
        assert any(
            (each.inode in ours or (each.inode == 0 and each.local_port in doors))
            and (each.local_port, each.remote_port) == (client.local_port, client.port)
            for each in sockets
        )


@given(st.text(max_size=300))
def test_any_text_at_all_is_read_as_a_table(text: str) -> None:
    read_table(f"head\n{text}")


def test_a_real_connection_to_this_process_is_found_with_its_process_and_is_gone_when_it_is_closed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = door.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as far, door.accept()[0]:
            found = [each for each in clients(HttpState(http=f"127.0.0.1:{port}", https="")) if each.incoming]
            mine = next(each for each in found if each.local_port == port)
            assert (mine.address, mine.port) == ("127.0.0.1", far.getsockname()[1])
            assert (mine.protocol, mine.state, mine.pid) == ("http", "established", os.getpid())


def test_many_connections_are_cut_off() -> None:
    many = [
        Socket(local="10.0.0.1", local_port=80, remote="10.0.0.2", remote_port=port, state=1, inode=1)
        for port in range(2 * MOST)
    ]
    assert len(connected(many, {1: ("network", 1)}, {})) == MOST


def test_processes_of_the_device_are_those_that_were_started_beside_this_one_in_a_role(tmp_path: Path) -> None:
    def process(pid: int, parent: int, *words: str) -> None:
        folder = tmp_path / str(pid)
        (folder / "fd").mkdir(parents=True)
        (folder / "stat").write_text(f"{pid} (a (strange) name) S {parent} 1 1")
        (folder / "cmdline").write_text("\0".join(words))

    process(os.getpid(), os.getppid(), "python", "-m", "firmware", "run", "--role", "network")
    process(900001, os.getppid(), "python", "-m", "firmware", "run", "--role", "control", "--no-web")
    process(900002, os.getppid(), "somebody", "else")
    process(900003, 1, "python", "--role", "media")
    (tmp_path / "900001" / "fd" / "3").symlink_to("socket:[77]")
    (tmp_path / "900001" / "fd" / "4").symlink_to("/dev/null")
    found = processes(tmp_path)
    assert found == {os.getpid(): "network", 900001: "control"}
    assert owned(found, tmp_path) == {77: ("control", 900001)}
