"""The documentation is true where a machine can tell: reference and drawings follow the code, links lead somewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from firmware.paths import CHECKOUT
from tests.bench.sim import SimBench

DOCS = CHECKOUT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
LINK = re.compile(r"\[[^\]\n]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as a forge makes them."""
    found = set()
    for heading in HEADING.findall(FENCE.sub("", page.read_text())):
        plain = re.sub(r"[^\w\- ]", "", heading.lower())
        found.add(plain.strip().replace(" ", "-"))
    return found


@pytest.mark.parametrize("module", ["tools.reference", "tools.drawings"])
def test_what_is_made_from_the_code_is_what_the_code_says_now(module: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", module, "--check"], cwd=CHECKOUT, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS)))
def test_every_link_of_a_page_leads_to_a_file_and_a_heading(page: Path) -> None:
    for link in LINK.findall(FENCE.sub("", page.read_text())):
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), f"{page.name}: {link} leads nowhere"
        assert not anchor or anchor in anchors(target), f"{page.name}: {link}: no such heading"


def test_the_index_leads_to_every_page() -> None:
    index = DOCS / "README.md"
    text = index.read_text()
    linked = {(DOCS / link.partition("#")[0]).resolve() for link in LINK.findall(text)}
    linked |= {(CHECKOUT / name).resolve() for name in re.findall(r"`(docs/[\w/]+\.md)`", text)}
    unlinked = [str(page.relative_to(DOCS)) for page in PAGES if page not in linked and page != index]
    assert unlinked == []


@pytest.mark.parametrize("path", sorted((DOCS / "images" / "wiring").glob("*.svg")), ids=lambda path: path.stem)
def test_a_wiring_diagram_stays_within_its_frame_and_asks_for_nothing(path: Path) -> None:
    root = ElementTree.fromstring(path.read_text())
    _, _, width, height = map(float, root.get("viewBox", "").split())
    for element in root.iter():
        tag = element.tag.rpartition("}")[2]
        if tag == "polyline":
            for place in element.get("points", "").split():
                x, y = map(float, place.split(","))
                assert 0 <= x <= width, place
                assert 0 <= y <= height, place
        if tag == "text":
            # A character of these sizes is about 6.6 units wide.
            x, length = float(element.get("x", "")), 6.6 * len(element.text or "")
            left = {"end": x - length, "middle": x - length / 2}.get(element.get("text-anchor", ""), x)
            assert left >= 0, element.text
            assert left + length <= width * 1.02, element.text
    assert "href" not in path.read_text()
    assert any(element.tag.endswith("title") for element in root)


async def told_by_a_device(bench: SimBench) -> None:
    """Actions and parameters of a running door station are in the reference, with their level."""
    actions = (DOCS / "reference" / "actions.md").read_text()
    for action in (await bench.api("GET", "/actions")).json()["actions"]:
        part = actions.partition(f"### `{action['name']}`\n")[2].partition("###")[0]
        assert f"Level: {action['level']}." in part, action["name"]
        assert action["summary"] in part
    parameters = (DOCS / "reference" / "parameters.md").read_text()
    for info in (await bench.api("GET", "/params")).json()["params"]:
        part = parameters.partition(f"### `{info['group']}`\n")[2].partition("\n### ")[0]
        # What a board names (a door, a camera) is described by the settings of each.
        names = [info["name"]] if f"| `{info['name']}` | " in part else list(info["default"])
        for name in names:
            assert f"| `{name}` | " in part, info


def test_what_a_running_device_lists_is_in_the_reference(tmp_path: Path) -> None:
    bench = SimBench(tmp_path / "state")
    bench.play(told_by_a_device, {"bench": bench})


def test_the_test_of_the_tutorial_passes_as_it_stands(tmp_path: Path) -> None:
    text = (DOCS / "tutorial.md").read_text()
    code = text.partition("<!-- test -->\n```python\n")[2].partition("```")[0]
    assert "async def test_" in code
    names: dict[str, object] = {}
    exec(compile(code, "tutorial", "exec"), names)  # the reader's own file, with the names in it
    bench = SimBench(tmp_path / "state")
    bench.play(names["test_my_card_opens_the_door_and_a_stranger_does_not"], {"bench": bench})  # type: ignore[arg-type]
    assert [figure.name for figure in bench.measurements] == ["door.release_s"]
