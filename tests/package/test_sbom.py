"""Row 54: what comes from outside is locked by its hash, listed, and not younger than two days when it is locked."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware import VERSION
from tools.package.sbom import NotLocked, read_lock, sbom
from tools.package.system_files import CHECKOUT

LOCKS = sorted((CHECKOUT / "requirements").glob("*.txt"))


def canonical(name: str) -> str:
    """A name as the package index writes it."""
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_row_54_every_requirement_is_locked_to_a_version_and_its_hashes(lock: Path) -> None:
    found = list(read_lock(lock.read_text()))
    assert found
    text = lock.read_text()
    assert sum(len(one.sha256) for one in found) == text.count("--hash=") == text.count("--hash=sha256:")
    assert not re.search(r"://|^-|@ ", text, re.MULTILINE), "a lock names no address, no option and no local path"


@pytest.mark.parametrize(
    "line",
    [
        "uvicorn>=0.32 --hash=sha256:" + "0" * 64,
        "uvicorn==0.32",
        "uvicorn==0.32 --hash=md5:" + "0" * 32,
        "-e .",
        "uvicorn @ file:///somewhere",
    ],
)
def test_row_54_a_line_that_locks_nothing_is_an_error(line: str) -> None:
    with pytest.raises(NotLocked, match="NAME==VERSION"):
        list(read_lock(line))


@given(st.text(max_size=200))
def test_row_54_any_text_is_a_lock_or_an_error(text: str) -> None:
    try:
        found = list(read_lock(text))
    except NotLocked:
        return
    assert all(one.version and one.sha256 for one in found)


def test_row_54_what_the_project_asks_for_is_in_the_lock_and_what_runs_here_is_what_is_locked() -> None:
    locked = {one.name: one for one in read_lock((CHECKOUT / "requirements/base.txt").read_text())}
    asked = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]["dependencies"]
    names = {canonical(re.split(r"[<>=!~\[; ]", one)[0]) for one in asked}
    assert names <= set(locked)
    of_name: dict[str, set[str]] = {}
    for one in read_lock((CHECKOUT / "requirements/base.txt").read_text()):
        of_name.setdefault(one.name, set()).add(one.version)
    assert {name: version(name) for name in names if version(name) not in of_name[name]} == {}


def test_row_54_the_list_of_components_names_each_with_version_and_hashes(tmp_path: Path) -> None:
    out = tmp_path / "lintel.cdx.json"
    subprocess.run([sys.executable, "-m", "tools.package.sbom", str(out)], check=True)
    listed = json.loads(out.read_text())
    assert (listed["bomFormat"], listed["specVersion"]) == ("CycloneDX", "1.5")
    assert listed["metadata"]["component"]["version"] == VERSION
    found = {
        (one["name"], one["version"], hashed["content"])
        for one in listed["components"]
        for place in one["externalReferences"]
        for hashed in place["hashes"]
    }
    text = (CHECKOUT / "requirements/base.txt").read_text()
    assert found == {(one.name, one.version, each) for one in read_lock(text) for each in one.sha256}
    references = [one["bom-ref"] for one in listed["components"]]
    assert len(references) == len(set(references))
    (dependencies,) = listed["dependencies"]
    assert sorted(dependencies["dependsOn"]) == sorted(references)
    assert sbom(text) == listed, "the same lock is the same list"
    assert sbom(text.replace("sha256:", "sha256:", 1) + "# \n")["serialNumber"] != listed["serialNumber"]


def test_row_54_a_version_younger_than_two_days_is_not_locked() -> None:
    makefile = (CHECKOUT / "Makefile").read_text()
    recipe = makefile.split("\nlock:\n")[1].split("\n\n")[0].replace("\\\n", " ")
    commands = [line for line in recipe.splitlines() if "uv pip compile" in line]
    assert len(commands) == len(LOCKS)
    assert all("--exclude-newer '$(COOL_OFF)'" in line and "--generate-hashes" in line for line in commands)
    done = subprocess.run(
        ["make", "-C", str(CHECKOUT), "-s", "--no-print-directory", "cool-off"],
        capture_output=True,
        text=True,
        check=True,
    )
    from datetime import UTC, datetime, timedelta

    age = datetime.now(UTC) - datetime.fromisoformat(done.stdout.strip())
    assert timedelta(days=2) <= age < timedelta(days=2, hours=1)
