"""Row 54: known flaws of what is locked are found in an export of advisories; one that cannot be read is no peace."""

from __future__ import annotations

import json
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version

from tools.package.advisories import Unreadable, compared, main, read_advisory, read_export
from tools.package.sbom import read_lock
from tools.package.system_files import CHECKOUT

LOCK = "one-thing==1.2.0 \\\n    --hash=sha256:" + "0" * 64 + "\n"
REAL = next(read_lock((CHECKOUT / "requirements" / "base.txt").read_text()))
Event = dict[str, str]


def advisory(name: str, *events: Event, **more: Any) -> dict[str, Any]:
    """An advisory of ours about a package."""
    package = {"ecosystem": more.pop("ecosystem", "PyPI"), "name": name}
    ranges = [{"type": more.pop("kind", "ECOSYSTEM"), "events": list(events)}] if events else []
    affected = {"package": package, "ranges": ranges, "versions": more.pop("versions", [])}
    return {"id": "OURS-1", "modified": "2026-11-01T00:00:00Z", "affected": [affected], **more}


def hits(*found: dict[str, Any]) -> list[str]:
    """What is found in a lock of one package, of version 1.2.0."""
    read = [each for one in found if (each := read_advisory(one, "export")) is not None]
    return [str(hit) for hit in compared({"lock": LOCK}, read)]


@pytest.mark.parametrize(
    ("events", "hit"),
    [
        ([{"introduced": "0"}, {"fixed": "1.2.0"}], False),
        ([{"introduced": "0"}, {"fixed": "1.2.1"}], True),
        ([{"introduced": "1.2.0"}], True),
        ([{"introduced": "1.2.1"}], False),
        ([{"introduced": "0"}, {"last_affected": "1.2"}], True),
        ([{"introduced": "0"}, {"last_affected": "1.1"}], False),
        ([{"introduced": "0"}, {"fixed": "1.0"}, {"introduced": "1.1"}, {"fixed": "1.10"}], True),
        ([{"introduced": "1.1"}, {"fixed": "1.1.5"}, {"introduced": "0"}, {"fixed": "0.9"}], False),
        ([{"introduced": "1.2.0rc1"}, {"fixed": "1.2.0"}], False),
    ],
)
def test_row_54_a_version_in_the_range_of_an_advisory_is_found_and_no_other(events: list[Event], hit: bool) -> None:
    assert bool(hits(advisory("one-thing", *events))) is hit


def test_row_54_what_is_found_is_one_line_with_lock_version_names_and_the_version_that_mends_it() -> None:
    flaw = advisory(
        "One.Thing", {"introduced": "0"}, {"fixed": "1.2.1"}, aliases=["CVE-2026-1"], summary="Takes\nanything."
    )
    assert hits(flaw) == ["lock: one-thing 1.2.0: OURS-1, CVE-2026-1: Takes anything.; fixed in 1.2.1"]


def test_row_54_a_listed_version_counts_however_it_is_spelled_and_one_of_old_times_does_not_disturb() -> None:
    assert hits(advisory("one-thing", versions=["1.2"]))
    assert not hits(advisory("one-thing", versions=["1.1", "2004d-final"]))


def test_row_54_what_is_said_of_packages_that_are_not_locked_need_not_be_understood() -> None:
    assert not hits(advisory("another-thing", {"introduced": "one"}))


def test_row_54_other_packages_other_ecosystems_and_what_was_withdrawn_do_not_count() -> None:
    everything = {"introduced": "0"}
    assert not hits(advisory("another-thing", everything), advisory("one-thing", everything, ecosystem="npm"))
    assert not hits(advisory("one-thing", everything, withdrawn="2026-11-02T00:00:00Z"))


def test_row_54_an_advisory_that_names_commits_only_counts_for_every_version() -> None:
    assert hits(advisory("one-thing", {"introduced": "0"}, {"fixed": "0123abc"}, kind="GIT"))


VERSIONS = st.tuples(st.integers(0, 3), st.integers(0, 3)).map(lambda pair: f"{pair[0]}.{pair[1]}")


@given(st.lists(VERSIONS, min_size=1, max_size=6, unique=True), VERSIONS, st.randoms())
def test_row_54_events_in_any_order_are_evaluated_as_the_format_says(
    cuts: list[str], version: str, chance: Any
) -> None:
    """Against the evaluation of the format, step by step: the last event not after the version decides."""
    cuts.sort(key=Version)
    events = [{"introduced" if number % 2 == 0 else "fixed": cut} for number, cut in enumerate(cuts)]
    before = [number for number, cut in enumerate(cuts) if Version(cut) <= Version(version)]
    expected = bool(before) and before[-1] % 2 == 0
    chance.shuffle(events)
    read = read_advisory(advisory("one-thing", *events), "export")
    assert read is not None
    assert read.affected[0].holds(Version(version)) is expected


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["id", "affected", "package", "ecosystem", "name", "ranges", "type", "events", "versions",
                         "introduced", "fixed", "modified"]) | st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(JSON)
def test_row_54_whatever_an_export_holds_it_is_an_advisory_or_an_error(found: Any) -> None:
    for each in (found, {"id": "X", "modified": "m", "affected": [found]}, advisory("one-thing", found)):
        try:
            found_in = hits(each)
        except Unreadable:
            continue
        assert all(line.startswith("lock: one-thing 1.2.0: ") for line in found_in)


def export(folder: Path, kind: str, *found: dict[str, Any]) -> Path:
    """An export as people have it."""
    place = folder / kind
    match kind:
        case "folder":
            place.mkdir()
            for number, each in enumerate(found):
                (place / f"{number}.json").write_text(json.dumps(each))
        case "all.zip":
            with zipfile.ZipFile(place, "w") as archive:
                for number, each in enumerate(found):
                    archive.writestr(f"{number}.json", json.dumps(each))
        case _:
            place.write_text(json.dumps(list(found)))
    return place


@pytest.mark.parametrize("kind", ["folder", "all.zip", "list.json"])
def test_row_54_the_locks_of_the_project_are_compared_with_an_export(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    harmless = advisory(REAL.name, {"introduced": "0"}, {"fixed": REAL.version})
    flawed = advisory(REAL.name, {"introduced": REAL.version}) | {"id": "OURS-2", "modified": "2026-11-03T00:00:00Z"}
    place = export(tmp_path, kind, harmless, flawed)
    assert main([str(place)]) == 1
    *found, last = capsys.readouterr().out.splitlines()
    said = f"{REAL.name} {REAL.version}: OURS-2: no summary; no fixed version is named"
    assert found == [f"requirements/base.txt: {said}", f"requirements/dev.txt: {said}"]
    assert last == "2 advisories about PyPI, the newest of 2026-11-03T00:00:00Z: 2 of what is locked"


def test_row_54_the_command_of_the_project_says_what_it_found_by_its_exit_code(tmp_path: Path) -> None:
    def make(place: Path) -> subprocess.CompletedProcess[str]:
        words = ["make", "-s", "-C", str(CHECKOUT), "--no-print-directory", "advisories", f"FILE={place}"]
        return subprocess.run(words, capture_output=True, text=True, check=False)

    done = make(export(tmp_path, "list.json", advisory("nothing-of-ours", {"introduced": "0"})))
    assert (done.returncode, done.stdout) == (
        0, "1 advisories about PyPI, the newest of 2026-11-01T00:00:00Z: none of what is locked\n",
    )  # fmt: skip
    assert make(export(tmp_path, "folder", advisory(REAL.name, {"introduced": "0"}))).returncode != 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is no JSON"),
        ("{}", "is no advisory in the OSV format"),
        ("[]", "holds no advisory about PyPI"),
        (json.dumps(advisory(REAL.name, {"introduced": "one"})), "OURS-1: 'one' is no version of PEP 440"),
        (json.dumps(advisory("x", {"begun": "1"})), "'begun' is no event of a range"),
    ],
)
def test_row_54_an_export_that_says_nothing_is_an_error_and_not_a_clean_bill(
    text: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "export.json"
    place.write_text(text)
    assert main([str(place)]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert said in told.err
    assert str(place) in told.err
    assert main([str(tmp_path / "none.json")]) == 2


def test_row_54_a_huge_file_in_an_export_is_refused_before_it_is_read(tmp_path: Path) -> None:
    place = tmp_path / "all.zip"
    with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("huge.json", b" " * (16 * 1024 * 1024 + 1))
    with pytest.raises(Unreadable, match=r"huge\.json: 16777217 bytes"):
        list(read_export(place))
