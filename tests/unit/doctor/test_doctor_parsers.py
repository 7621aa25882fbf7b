"""What the doctor reads of a machine's files: nothing in them makes it stumble, and what is there it finds."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from firmware.doctor.machine import Machine, Mount, parse_groups, parse_mounts, parse_users

name = st.from_regex(r"[a-z_][a-z0-9_-]{0,20}", fullmatch=True)
number = st.integers(0, 2**32 - 1)


@given(st.text())
def test_whatever_stands_in_those_files_is_read(text: str) -> None:
    parse_groups(text)
    parse_users(text)
    parse_mounts(text)


@given(st.dictionaries(name, st.tuples(number, st.frozensets(name, max_size=3)), max_size=5), st.text("#x: \n"))
def test_every_group_is_found_among_lines_that_are_none(
    groups: dict[str, tuple[int, frozenset[str]]], rest: str
) -> None:
    lines = [f"{group}:x:{gid}:{','.join(sorted(members))}" for group, (gid, members) in groups.items()]
    found = parse_groups("\n".join([*lines, rest]))
    assert {group: found[group] for group in groups} == groups


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=20))
def test_a_mount_point_with_blanks_is_found_as_the_kernel_writes_it(point: str) -> None:
    written = "".join(f"\\{ord(each):03o}" if each in " \t\n\\" else each for each in f"/{point}")
    assert parse_mounts(f"/dev/x {written} ext4 rw,noatime 0 0") == (
        Mount("/dev/x", f"/{point}", "ext4", frozenset({"rw", "noatime"})),
    )


def test_of_several_mounts_the_nearest_counts_and_of_two_at_one_place_the_later(tmp_path: Path) -> None:
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/mounts").write_text(
        "/dev/a / ext4 ro 0 0\n/dev/b /var ext4 rw 0 0\n/dev/c /var tmpfs rw 0 0\n/dev/d /variable ext4 rw 0 0\n"
    )
    machine = Machine(tmp_path)
    found = [machine.mount_of(Path(path)) for path in ("/var/lib/lintel", "/variable/x", "/home")]
    assert [each.source if each else None for each in found] == ["/dev/c", "/dev/d", "/dev/a"]
