"""What may be asked of pictures over HTTP: fuzzed wishes end in one clear answer, and in nothing else."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from firmware.core.vocabulary.video import Signal, VideoSource

SIZES = ("1280x720", "640x360")
STATE = VideoSource(
    source="camera1", alias="entrance", phase=Signal.RUNNING, reason="", width=1280, height=720, fps=30.0, sizes=SIZES
)
ODD = st.text(max_size=30) | st.integers().map(str) | st.from_regex(r"[0-9]{0,5}x[0-9]{0,5}", fullmatch=True)
NAMES = st.sampled_from(["resolution", "compression", "fps", "Resolution", "fp", "", "resolution[]"]) | st.text(
    max_size=8
)
WISHES = st.lists(st.tuples(NAMES, ODD | st.sampled_from([*SIZES, "0", "30", "100", "101"])), max_size=4)


def valid(wishes: list[tuple[str, str]], known: bool, what: str) -> bool | None:
    """Whether these wishes have to be taken (True), refused (False), or either (None)."""
    names = [name for name, _ in wishes]
    allowed = {"resolution", "compression"} | ({"fps"} if what == "mjpeg" else set())
    if len(set(names)) < len(names) or not set(names) <= allowed:
        return False
    given_ = dict(wishes)
    if "resolution" in given_ and known:
        if given_["resolution"] not in SIZES:
            return False
    elif "resolution" in given_:
        return None
    for name, most in (("compression", 100), ("fps", 30)):
        text = given_.get(name, "0")
        if not (text.isascii() and text.isdigit() and len(text) <= 18 and int(text) <= most):
            return None if text.startswith("-") else False
    return True


def test_fuzzed_wishes_end_in_an_answer_that_says_what_is_wrong_or_are_taken(play: Any) -> None:
    async def main(face: Any) -> None:
        await face.set_up()
        async with face.client(("admin", "choose-one")) as client:
            asked: list[tuple[list[tuple[str, str]], bool, str]] = []

            @given(wishes=WISHES, known=st.booleans(), what=st.sampled_from(["snapshot", "mjpeg"]))
            def collect(wishes: list[tuple[str, str]], known: bool, what: str) -> None:
                asked.append((wishes, known, what))

            collect()
            for wishes, known, what in asked:
                if known:
                    face.bus.publish(STATE)
                else:
                    face.bus.forget(VideoSource, "camera1")
                answer = await client.get(f"/api/v1/video/entrance/{what}", params=wishes)
                context = (wishes, known, what, answer.status_code, answer.text)
                assert answer.status_code in ((400, 503) if what == "snapshot" else (400, 501)), context
                error = answer.json()["error"]
                assert error["where"] == "video" or error["where"].startswith("query"), context
                assert len(answer.content) < 600, context
                expected = valid(wishes, known, what)
                if expected is not None:
                    assert (answer.status_code != 400) == expected, context

    play(main)
