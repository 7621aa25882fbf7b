"""What only a browser does on the pages: pictures, files, questions before leaving, on one device with everything."""

from __future__ import annotations

import io
import wave
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Dialog, expect

from tests.live.device import Device, until
from tests.live.web.browser import DESK, Person

RATE_HZ = 8000


@pytest.fixture(scope="module")
def ada(browser: Browser, shared_device: Device) -> Iterator[Person]:
    """An administrator who stays logged in."""
    with closing(Person(browser, shared_device, viewport=DESK)) as somebody:
        somebody.log_in()
        yield somebody  # each test asks whether it is content: what fails here would be nobody's


def sound(length_s: float) -> bytes:
    """Silence as a wav file."""
    made = io.BytesIO()
    with wave.open(made, "wb") as kept:
        kept.setnchannels(1)
        kept.setsampwidth(2)
        kept.setframerate(RATE_HZ)
        kept.writeframes(bytes(2 * int(RATE_HZ * length_s)))
    return made.getvalue()


def test_the_live_view_shows_pictures_and_ends_when_it_is_switched_off(ada: Person) -> None:
    ada.go("/video")
    ada.page.wait_for_function("document.querySelector('img.picture').naturalWidth > 0")
    ada.page.get_by_role("switch", name="Live view").click()
    ada.page.wait_for_function("!document.querySelector('img.picture').hasAttribute('src')")
    ada.is_content()


def test_a_clip_is_uploaded_played_stopped_and_removed(ada: Person) -> None:
    ada.go("/audio")
    chosen = {"name": "chime.wav", "mimeType": "audio/wav", "buffer": sound(30)}
    ada.page.set_input_files("input[name=file]", [chosen])
    ada.page.locator("form.upload button[type=submit]").click()
    ada.page.get_by_label("Play chime").click()
    ada.page.get_by_label("Stop chime").click()
    expect(ada.page.get_by_label("Play chime")).to_be_visible()
    ada.page.get_by_label("Remove chime").click()
    ada.page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    expect(ada.page.get_by_label("Play chime")).to_have_count(0)
    ada.is_content()


def test_a_file_that_is_no_firmware_is_refused_in_its_form_and_the_device_goes_on(ada: Person) -> None:
    ada.go("/maintenance")
    chosen = {"name": "junk.bin", "mimeType": "application/octet-stream", "buffer": b"junk" * 50_000}
    ada.page.set_input_files("input[name=bundle]", [chosen])
    ada.page.locator("form.upload button[type=submit]").click()
    expect(ada.page.locator("form.upload [role=alert]")).not_to_be_empty()
    ada.complaints.clear()  # the browser writes down what was refused
    assert ada.device.api.get("/upgrade").json()["stage"] == "idle"
    ada.is_content()


def test_a_certificate_is_made_asked_for_and_comes_back_as_a_file(ada: Person, tmp_path: Path) -> None:
    ada.go("/certificates")
    ada.page.get_by_label("Name", exact=True).first.fill("front")
    ada.page.get_by_role("button", name="Create").click()
    with ada.page.expect_download() as request:
        ada.page.get_by_label("Signing request of front").click()
    assert request.value.suggested_filename == "front.csr"
    with ada.page.expect_download() as kept:
        ada.page.get_by_label("Download front").click()
    kept.value.save_as(tmp_path / "front.pem")
    ada.page.set_input_files("input[name=data]", tmp_path / "front.pem")
    ada.page.fill("form.upload input[name=name]", "front")
    with ada.page.expect_response(lambda answer: answer.url.endswith("/certificates")) as answered:
        ada.page.locator("form.upload button[type=submit]").click()
    assert answered.value.status == 201, "the answer to the request, as its key is here already"
    assert answered.value.request.method == "POST"
    ada.is_content()


def test_whoever_leaves_a_page_with_unsaved_changes_is_asked(ada: Person) -> None:
    ada.go("/network")
    ada.page.get_by_label("Default router").fill("192.0.2.1")
    expect(ada.page.get_by_role("button", name="Undo").first).to_be_enabled()
    asked: list[str] = []

    def stay(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    ada.page.once("dialog", stay)
    ada.page.locator("nav a[href='/time']").click()
    until("the question", lambda: asked or ada.page.evaluate("0"))
    assert asked == ["beforeunload"]
    assert ada.page.url.endswith("/network")
    ada.page.get_by_role("button", name="Undo").first.click()
    ada.page.wait_for_function("lintel.unsaved.size === 0")
    ada.page.locator("nav a[href='/time']").click()
    ada.page.wait_for_url("**/time")
    ada.is_content()
