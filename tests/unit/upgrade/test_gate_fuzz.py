"""Row 28: thousands of changed bundles; none passes, and no exception but the one Refusal comes out."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from firmware.core.confined.child import PROGRAM_TREE
from firmware.upgrade import cms, gate, layout
from firmware.upgrade.gate_child import Request, examine
from firmware.upgrade.refusals import SENTENCES, Refusal, Why
from firmware.upgrade.second_judge import content_of
from tests.effort import examples
from tests.unit.upgrade.bundles import NOW, Workshop

# A code that would tell of an exception nobody thought of.
UNFORESEEN = {Why.CHILD_CRASHED, Why.CHILD_MEMORY, Why.CHILD_MISSING, Why.CHILD_TIME, Why.CHILD_ANSWER}


@dataclass(frozen=True, slots=True)
class Bench:
    """A good bundle in memory that is changed and put right again."""

    file: int
    raw: bytes
    signature_at: int
    request: Request
    trust: bytes

    def refusal(self, raw: bytes) -> Why:
        """Why a changed bundle is refused; it is never approved."""
        os.ftruncate(self.file, 0)
        os.pwrite(self.file, raw, 0)
        with pytest.raises(Refusal) as refusal:
            examine(self.file, self.request)
        return refusal.value.why


@pytest.fixture(scope="session")
def bench(good: Path, workshop: Workshop) -> Iterator[Bench]:
    """The bundle, and what the child would be asked."""
    raw = good.read_bytes()
    file = os.memfd_create("bundle")
    os.pwrite(file, raw, 0)
    found = layout.find(file, len(raw))
    request = gate._request(workshop.context())
    assert examine(file, request).manifest.version.text == "0.2.0"
    yield Bench(file, raw, found.signature_at, request, workshop.vendor.release_pem())
    os.close(file)


def changed(data: st.DataObject, raw: bytes, start: int, stop: int) -> bytes:
    """The bytes with up to four small changes between two places: other bytes, more, or fewer."""
    found = bytearray(raw)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(start, min(stop, len(found)) - 1))
        found[at : at + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=4))
    return bytes(found)


@settings(max_examples=examples(1_000), suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_row_28_no_change_of_the_signature_passes_or_escapes(data: st.DataObject, bench: Bench) -> None:
    raw = changed(data, bench.raw, bench.signature_at, len(bench.raw) - layout.TRAILER)
    if data.draw(st.booleans()):  # with a size field that fits again
        raw = raw[: -layout.TRAILER] + (len(raw) - layout.TRAILER - bench.signature_at).to_bytes(8)
    if raw != bench.raw:
        assert bench.refusal(raw) not in UNFORESEEN


@settings(max_examples=examples(150), suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_row_28_no_change_anywhere_passes_or_escapes(data: st.DataObject, bench: Bench) -> None:
    raw = changed(data, bench.raw, 0, len(bench.raw))
    if raw != bench.raw:
        assert bench.refusal(raw) not in UNFORESEEN


@settings(max_examples=examples(300), suppress_health_check=list(HealthCheck))
@given(raw=st.binary(max_size=2_000))
def test_row_28_no_bytes_pass_or_escape(raw: bytes, bench: Bench) -> None:
    assert bench.refusal(raw) not in UNFORESEEN


def test_row_28_both_judges_come_to_the_same_manifest_or_the_gate_refuses(bench: Bench) -> None:
    """Every byte of the signature, with one bit flipped: what either takes alone is counted, both never."""
    signature = bench.raw[bench.signature_at : -layout.TRAILER]
    manifest = cms.read(signature).manifest
    assert content_of(signature, bench.trust, NOW) == manifest
    ours_alone = 0
    for at in range(len(signature)):
        one = bytearray(signature)
        one[at] ^= 1 << (at % 8)
        try:
            cms.read(bytes(one))
        except Refusal:
            continue
        ours_alone += 1
        raw = bench.raw[: bench.signature_at] + bytes(one) + bench.raw[-layout.TRAILER :]
        assert bench.refusal(raw) not in UNFORESEEN, at
    # The authority's certificate is not looked at by the first step: the chain is judged later.
    assert ours_alone < len(signature) / 2


def test_every_refusal_has_a_sentence_and_a_place_in_the_documentation() -> None:
    text = (PROGRAM_TREE / "docs" / "upgrade.md").read_text()
    assert set(SENTENCES) == set(Why)
    for why in Why:
        assert f"| `{why.value}` | {SENTENCES[why]} |" in text
