"""The three files of a session's report: report.json, report.xml (JUnit) and report.html."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import asdict
from html import escape
from pathlib import Path
from xml.etree import ElementTree

from tests.bench.report.page import page, table
from tests.bench.report.record import Case, Session
from tests.bench.report.timing import timing_diagram

# Characters that no XML may hold, not even escaped.
UNSAYABLE = re.compile(r"[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write_reports(session: Session, folder: Path) -> None:
    """Write them; the folder is made."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.json").write_text(json.dumps(asdict(session), indent=1) + "\n")
    (folder / "report.xml").write_bytes(junit(session))
    (folder / "report.html").write_text(html(session))


def junit(session: Session) -> bytes:
    """The session as JUnit's XML: figures are properties of their test."""
    suite = ElementTree.Element("testsuite", name=f"behaviour on {session.bench}", timestamp=session.began)
    suite.set("tests", str(len(session.cases)))
    for attribute, outcome in (("failures", "failed"), ("skipped", "skipped")):
        suite.set(attribute, str(session.count(outcome)))
    suite.set("time", f"{sum(case.took_s for case in session.cases):.3f}")
    for case in session.cases:
        classname = case.place.removesuffix(".py").replace("/", ".")
        element = ElementTree.SubElement(suite, "testcase", name=case.name, classname=classname)
        element.set("time", f"{case.took_s:.3f}")
        if case.measurements:
            properties = ElementTree.SubElement(element, "properties")
            for each in case.measurements:
                ElementTree.SubElement(properties, "property", name=each.name, value=f"{each.value:.9g}")
        if case.outcome in ("failed", "skipped"):
            tag = "failure" if case.outcome == "failed" else "skipped"
            why = UNSAYABLE.sub("?", case.why)
            ElementTree.SubElement(element, tag, message=why.strip().rpartition("\n")[2][:500]).text = why
    root = ElementTree.Element("testsuites")
    root.append(suite)
    text: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return text


def html(session: Session) -> str:
    """The session as a page."""
    return page(f"Behaviour tests on {session.bench}", _parts(session))


def _parts(session: Session) -> Iterator[str]:
    counts = {outcome: session.count(outcome) for outcome in OUTCOMES}
    words = [f'<span class="{outcome if count else ""}">{count} {outcome}</span>' for outcome, count in counts.items()]
    yield f"<p>{', '.join(words)}; begun {escape(session.began)}.</p>"
    figures = [
        (case.name, each.name, f"{each.value:.6f}", f"{each.expected:.6f}", f"{each.tolerance:g}")
        for case in session.cases
        for each in case.measurements
    ]
    if figures:
        yield "<h2>Figures</h2>" + table(("test", "figure", "measured", "expected", "tolerance"), figures, words=2)
    for case in session.cases:
        yield from _case(case)


OUTCOMES = ("passed", "failed", "skipped")


def _case(case: Case) -> Iterator[str]:
    sentence = case.name.removeprefix("test_").replace("_", " ")
    yield f'<h2><span class="{case.outcome}">{case.outcome}</span> {escape(sentence)}</h2>'
    if case.why:
        yield f"<pre>{escape(case.why)}</pre>"
    if case.lines:
        yield timing_diagram(case.lines, 0.0, case.ends_s, f"what was seen in {sentence}")
