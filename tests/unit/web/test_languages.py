"""Every page of every product, read in Chinese: no English sentence is left on it but what is named here, with why."""

from __future__ import annotations

import json
import re
from html import unescape
from typing import Any

import pytest
from nicegui.elements.choice_element import ChoiceElement
from nicegui.elements.mixins.text_element import TextElement

from firmware.core.vocabulary.clips import ClipState
from firmware.interfaces.web.pages import PAGES
from firmware.interfaces.web.shapes import Kind, leaves, shape_of
from firmware.interfaces.web.values import CHOICES, NAMES, WORDS
from firmware.interfaces.web.words import ENGLISH, LANGUAGES
from hal.types import ReaderTrouble
from tests.bench.sim import SimBench
from tests.unit.web.visit import Visit, visitors
from tools.reference.pages import import_all
from tools.reference.parameters import groups, infos_of, settings_of

BOARDS = ("door_station", "horn_speaker", "network_speaker", "plate_camera", "ptz_dome")
# Three words of English in a row are a sentence; names of parameters, files and protocols have signs or digits in them.
SENTENCE = re.compile(r"(?<![\w./:-])[A-Za-z]{2,}(?:[ ,;:]+(?:[a-z]+|I/O)\b(?![._/:-]\w)){2,}")
# What is English in every language, and why.
ENGLISH_EVERYWHERE = {
    r"HTTP Strict Transport Security": "the name of RFC 6797, as browsers and manuals call it",
    r"wav, mp3, ogg, opus, au": "kinds of files",
    r"Network (?:door station|horn speaker|speaker|plate camera|PTZ dome)": "the product's name, as its label has it",
}
# Properties of an element that are read, by eyes or aloud.
SPOKEN = ("label", "hint", "placeholder", "aria-label", "alt", "title", "suffix", "error-message", "data-label")


def readable(page: Visit) -> list[str]:
    """All that a person at a page can read or is read aloud: texts, labels, hints, choices, descriptions."""
    found: list[str] = list(page.told)
    for element in page.elements():
        if isinstance(element, TextElement):
            found.append(element.text)
        found += [str(element.props[name]) for name in SPOKEN if name in element.props]
        if isinstance(element, ChoiceElement):
            options = element.options
            found += map(str, options.values() if isinstance(options, dict) else options)
    return [text for text in found if text]


def sentences(texts: list[str]) -> list[str]:
    """What reads like English and is not allowed to."""
    left = []
    for text in texts:
        for allowed in ENGLISH_EVERYWHERE:
            text = re.sub(allowed, "", text)
        left += [text] if SENTENCE.search(text) else []
    return left


def test_the_reader_knows_a_sentence_from_names_and_values() -> None:
    assert sentences(["Followed from the next start on.", "默认值：off", "needs admin: no door here"]) != []
    for text in ("doors.door.hold_s", "Europe/Stockholm", "wss://cloud.example/device", "H10301:42:1234", "UPnP (SSDP)",
                 "device/button/gesture", "door=front hold_s=7.0", "OSDP：RS-485 线对", "EC P-256"):  # fmt: skip
        assert sentences([text]) == []


@pytest.mark.parametrize(
    "bench", [pytest.param(board, marks=pytest.mark.board(board)) for board in BOARDS], indirect=True
)
async def test_no_page_of_any_product_shows_an_english_sentence_to_somebody_who_reads_chinese(bench: SimBench) -> None:
    product = (await bench.api("GET", "/device")).json()["capabilities"]
    seen: dict[str, list[str]] = {}
    async with visitors(bench) as people:
        for shown in PAGES:
            if not shown.fits(product):
                continue
            page = await people.open(shown.path, language="zh-CN")
            if shown.name == "config":
                await unfold(page)
            texts = readable(page)
            if shown.name == "logs":  # lines stay as they are kept and sent to log servers
                kept = {line["text"] for line in (await bench.api("GET", "/logs/system?limit=1000")).json()["lines"]}
                texts = [text for text in texts if text not in kept]
            assert any(re.search("[\u4e00-\u9fff]", text) for text in texts)
            seen[shown.path] = sentences(texts)
    assert {path: left for path, left in seen.items() if left} == {}


async def unfold(page: Visit) -> None:
    """Open every group of the plain configuration."""
    for element in page.elements():
        if any(each.type == "toggle" for each in element._event_listeners.values()):
            await page.cause(element, "toggle")


async def test_what_is_wrong_with_the_device_is_said_in_the_language_too(bench: SimBench) -> None:
    async with visitors(bench) as people:
        bench.reader("external").fault("no_secure")
        await bench.params("osdp", external={"use": True, "insecure": True})
        bench.loop("contact:door").set("open")
        await bench.event("door/alarm", kind="forced", active=True)
        bench.loop("input:rex").set("cut")
        await bench.event("door/alarm", kind="exit", active=True)
        await bench.advance(5.0)
        status, doors, reader = [await people.open(path, language="zh") for path in ("/", "/doors", "/reader")]
        for page in (status, doors, reader):
            assert sentences(readable(page)) == []
        assert "不安全的设置：读卡器 external 可明文通信：卡数据可能在线路上被读取和重放" in status.text
        assert "门 door：被强行打开" in status.text
        assert {"被强行打开 未开锁即被打开", "出门按钮 回路断线"} <= set(doors.text.replace(", ", "\n").splitlines())


async def test_a_stranger_reads_their_own_language_before_the_log_in(bench: SimBench) -> None:
    headers = {"accept-language": "zh"}
    async with bench.stranger() as browser:
        answer = await browser.get("http://127.0.0.1/login", headers=headers)
    assert '<html lang="zh"' in answer.text
    licence = re.sub(r"<details>.*?</details>", "", answer.text, flags=re.DOTALL)
    text = unescape(re.sub(r"<[^>]*>|data-told=\"[^\"]*\"", " ", licence))
    assert sentences(text.splitlines()) == []


COMPLAINTS = {
    "de": ("Suchen", "Speichern", "muss mindestens 1 sein (angegeben: -3)"),
    "fr": ("Rechercher", "Enregistrer", "doit être au moins 1 (reçu : -3)"),
    "sv": ("Sök", "Spara", "måste vara minst 1 (angivet: -3)"),
    "zh": ("搜索", "保存", "必须至少为 1（给出的是 -3）"),
}


async def test_what_is_wrong_with_a_field_is_said_beside_it_in_the_language_and_with_its_value(bench: SimBench) -> None:
    assert set(COMPLAINTS) == set(LANGUAGES) - {ENGLISH}
    async with visitors(bench) as people:
        for language, (search, save, complaint) in COMPLAINTS.items():
            page = await people.open("/config", language=language)
            await page.type(search, "brute_force")
            await page.type("page_failures_per_s", "-3")
            await page.press(save)
            assert page.fault("page_failures_per_s") == complaint


async def test_figures_have_the_mark_of_the_language_and_what_is_wrong_with_a_clip_its_words(bench: SimBench) -> None:
    clip = ClipState(
        clip="0123456789ab", name="Welcome", format="wav", encoding="PCM 16 bit", rate_hz=22_050, channels=1,
        length_s=1.5, size=48_000, ready=False, detail="its file is gone",
    )  # fmt: skip
    async with visitors(bench) as people:
        english, french = [await people.open("/audio", language=language) for language in ("en", "fr")]
        bench.control_bus.publish(clip)
        for page in (english, french):
            await page.sees("Welcome")
        assert {"1.5 s", "its file is gone"} <= set(english.text.splitlines())
        assert {"1,5 s", "son fichier a disparu"} <= set(french.text.splitlines())


SPOKEN_TO = (
    ("sv", "sv", "Anslutningen bröts."), ("zh-Hans", "zh-CN", "连接已断开。"), ("nl", "en-US", "Connection lost."),
)  # fmt: skip


async def test_the_page_says_to_browsers_and_screen_readers_which_language_it_speaks(bench: SimBench) -> None:
    async with visitors(bench):
        for accepted, tag, lost in SPOKEN_TO:
            answer = await bench.http("GET", "/", headers={"accept-language": accepted})
            assert f'<html lang="{tag}"' in answer.text
            assert f"<span>{lost}</span>" in answer.text


async def test_a_parameter_is_found_by_its_meaning_in_the_language_and_in_english(bench: SimBench) -> None:
    async with visitors(bench) as people:
        page = await people.open("/config", language="de")
        for wish in ("IPv4-Adresse", "static IPv4"):
            await page.type("Suchen", wish)
            assert page.field("address").visible
        # and the reader of this module does find sentences where they are English
        assert len(sentences(readable(await people.open("/wizard")))) >= 1


def choices() -> set[str]:
    """Every choice of every parameter of the firmware."""
    import_all()
    found: set[str] = set()

    def look(schema: dict[str, Any]) -> None:
        for _, part in leaves("", shape_of(schema)):
            if part.kind is Kind.CHOICE:
                found.update(each for each in part.choices if isinstance(each, str))

    for group in groups():
        for info in infos_of(group) if group.model_fields else ():
            look(json.loads(info.schema))
        for _, model in () if group.model_fields else settings_of(group):
            look(model.model_json_schema())
    return found


def test_why_a_reader_threw_away_what_it_heard_has_its_words() -> None:
    assert {each.value for each in ReaderTrouble} <= set(WORDS)


def test_every_choice_of_a_parameter_has_a_word_in_every_language_or_is_a_name() -> None:
    assert sorted(choices() - CHOICES - NAMES) == []
    assert sorted(NAMES - choices()) == []
