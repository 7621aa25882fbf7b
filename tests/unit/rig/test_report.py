"""The report of a session: what a test saw is in the JSON, the JUnit and the page, and the drawing is true."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from tests.bench.base import Measurement
from tests.bench.report.record import Case, Session
from tests.bench.report.timing import LABEL, MOST_POINTS, WIDTH, Axis, Line, timing_diagram
from tests.bench.report.write import html, junit

EXIT = "tests/behaviour/test_door.py::test_the_exit_button_releases_the_door"


def test_a_session_with_a_report_leaves_all_three_files_with_what_it_saw(tmp_path: Path) -> None:
    words = ["-m", "pytest", "-p", "no:cacheprovider", EXIT, "--report", str(tmp_path)]
    done = subprocess.run([sys.executable, *words], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    told = json.loads((tmp_path / "report.json").read_text())
    (case,) = told["cases"]
    assert case["outcome"] == "passed"
    assert case["measurements"] == [{"name": "door.release_s", "value": 7.0, "expected": 7.0, "tolerance": 0.0}]
    door = next(line for line in case["lines"] if line["name"] == "relay:door")
    on_s, off_s = (t_s for t_s, _ in door["points"][1:])
    assert off_s - on_s == 7.0
    suite = ElementTree.parse(tmp_path / "report.xml").getroot()[0]
    assert (suite.get("tests"), suite.get("failures")) == ("1", "0")
    assert suite.find("testcase/properties/property[@name='door.release_s']") is not None
    page = (tmp_path / "report.html").read_text()
    assert ">relay:door<" in page
    assert "7.000000" in page


def test_a_failure_and_a_skip_say_why_in_every_form() -> None:
    cases = (
        Case("test_a", "tests/x.py", "failed", 0.1, "Traceback\nAssertionError: 6 < 7 \x00 & so on"),
        Case("test_b", "tests/x.py", "skipped", 0.0, "this rig lacks it"),
        Case("test_c", "tests/x.py", "passed", 0.1, measurements=(Measurement("a_s", 1.0, 1.0, 0.0),)),
    )
    session = Session("rig:x.toml", "2026-01-01T00:00:00+00:00", cases)
    suite = ElementTree.fromstring(junit(session))[0]
    failure = suite.find("testcase/failure")
    assert failure is not None
    assert failure.get("message") == "AssertionError: 6 < 7 ? & so on"
    assert suite.find("testcase/skipped[@message='this rig lacks it']") is not None
    page = html(session)
    assert "6 &lt; 7" in page
    assert "this rig lacks it" in page


times = st.lists(st.floats(0, 100, allow_nan=False), min_size=1, max_size=20, unique=True).map(sorted)


@given(times, st.sampled_from(["off", "red", "<&>\"'", "green"]), st.booleans())
def test_whatever_was_seen_is_drawn_as_well_formed_svg_within_its_frame(
    instants: list[float], word: str, told: bool
) -> None:
    values = (
        [word if at % 2 else "off" for at in range(len(instants))]
        if told
        else [at % 2 == 1 for at in range(len(instants))]
    )
    drawing = timing_diagram((Line("a <name>", tuple(zip(instants, values, strict=True))),), 0.0, 50.0, "so & so")
    root = ElementTree.fromstring(drawing)
    for rect in root.iter("rect"):
        x, width = float(rect.get("x", "")), float(rect.get("width", ""))
        assert LABEL - 0.1 <= x <= x + width <= LABEL + WIDTH + 1.1


def test_a_pulse_is_drawn_where_and_as_wide_as_it_was() -> None:
    line = Line("relay", ((0.0, False), (2.0, True), (9.0, False)))
    path = ElementTree.fromstring(timing_diagram((line,), 0.0, 10.0, "t")).find("path[@class='wave']")
    assert path is not None
    words = path.get("d", "").split()
    turns = [float(words[at + 1]) for at, word in enumerate(words) if word == "H"]
    assert turns == [LABEL + 0.2 * WIDTH, LABEL + 0.9 * WIDTH, LABEL + WIDTH]


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6))
def test_the_ticks_of_an_axis_are_few_and_within_it(from_s: float, span_s: float) -> None:
    if from_s + span_s == from_s:
        return
    ticks = Axis(from_s, from_s + span_s).ticks()
    assert len(ticks) <= 10
    assert all(from_s - span_s * 0.01 <= tick <= from_s + span_s * 1.01 for tick in ticks)


def test_a_line_that_never_rests_is_drawn_up_to_a_bound() -> None:
    points = tuple((at / 100, at % 2 == 1) for at in range(3 * MOST_POINTS))
    assert timing_diagram((Line("noise", points),), 0.0, 100.0, "t").count(" V ") == MOST_POINTS - 1
