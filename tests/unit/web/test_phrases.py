"""What the device says in English, said in another language: no value is lost, none is taken for more than it is."""

from __future__ import annotations

import re
from string import Formatter
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import AwareDatetime, BaseModel, Field, FiniteFloat

from firmware.core.errors import ERRORS, Forbidden, Invalid, StationError
from firmware.core.values import decode
from firmware.interfaces.web.errors import explained
from firmware.interfaces.web.phrases import ENDINGS, LONGEST, MOST, Phrases, Template
from firmware.interfaces.web.words import ENGLISH, LANGUAGES, Catalogue, catalogue
from hal.board import board_names, load_board
from hal.errors import nearest
from tests.effort import examples
from tools.device_sources import CHECKS, ELSEWHERE, TABLES
from tools.device_texts import ROOT, device_texts, found_in

FOREIGN = [language for language in LANGUAGES if language != ENGLISH]
TEXTS = [text for text in device_texts() if text not in ENDINGS]
QUOTING = ("no door {0!r}", "unknown name {0!r}", "there is an account {0!r} already")
# What a stranger writes is quoted, and may be anything; the others are the device's own words and numbers.
STRANGE = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("{}'\"\\<&> .;("), min_size=1, max_size=12)
STRANGE |= st.sampled_from(["' is not", "'; did you mean 'x'?", "{0}", "off", " (got 1)"])
OWN = st.text(st.sampled_from("ξψδ{}\\<&>%$0123456789"), min_size=1, max_size=12)


@pytest.mark.parametrize("language", FOREIGN)
@settings(max_examples=examples(150))
@given(template=st.sampled_from(TEXTS), data=st.data())
def test_every_message_is_translated_whatever_it_carries_and_carries_it_still(
    language: str, template: str, data: st.DataObject
) -> None:
    quoted = [conversion == "r" for _, hole, _, conversion in Formatter().parse(template) if hole is not None]
    values = [data.draw(STRANGE.map(repr) if each else OWN) for each in quoted]
    told = catalogue(language).told(template.replace("!r", "").format(*values))
    assert told == catalogue(language).messages[template].format(*values)
    assert all(value in told for value in values)


@settings(max_examples=examples(300))
@given(st.text(max_size=80), st.sampled_from(QUOTING))
def test_what_a_stranger_wrote_stays_as_it_is_even_when_it_reads_like_a_message(text: str, template: str) -> None:
    message = template.replace("{0!r}", repr(text))
    expected = catalogue("de").messages[template].format(repr(text))
    assert catalogue("de").told(message) == expected


def test_what_a_stranger_wrote_is_no_template_and_no_word_of_the_device() -> None:
    german = catalogue("de")
    assert german.told("no door 'off'") == "keine Tür 'off'"
    assert german.told("no door '{0} {name} {0.__class__}'") == "keine Tür '{0} {name} {0.__class__}'"
    assert german.told("needs admin, 'viewer' is not") == "verlangt Administrator, 'viewer' ist es nicht"


@given(st.text(max_size=900))
def test_no_text_breaks_the_translation_and_an_unknown_one_stays(text: str) -> None:
    told = catalogue("fr").told(f"ξ {text}")
    assert told == f"ξ {text}"


@settings(max_examples=examples(60), deadline=None)
@given(st.lists(st.sampled_from([*TEXTS, *ENDINGS, ": ", "'", " "]), min_size=1, max_size=30))
def test_the_looking_up_is_bounded_whatever_somebody_makes_the_device_say(parts: list[str]) -> None:
    looked: list[str] = []

    class Counted(dict[str, str]):
        def get(self, key: str, default: Any = None) -> Any:
            looked.append(key)
            return super().get(key, default)

    phrases = Phrases(catalogue("zh").messages)
    phrases._plain = Counted(phrases._plain)
    phrases.said("".join(parts)[:LONGEST])
    assert len(looked) <= 3 * MOST


def test_a_text_that_is_longer_than_any_message_is_not_even_looked_at() -> None:
    long = f"no door {'x' * LONGEST!r}"
    assert catalogue("sv").told(long) == long


def test_hints_and_repeated_values_follow_in_the_language() -> None:
    chinese = catalogue("zh")
    hint = nearest("fron", ("front", "back"))
    assert chinese.told(f"no door 'fron'{hint}") == "没有门 'fron'；是否指 'front'？"
    listed = nearest("zz", ("front", "back"))
    assert chinese.told(f"no door 'zz'{listed}") == "没有门 'zz'；有效值：back, front"
    assert chinese.told("no card format 'H1'; did you mean 'H10301'? (got ['H1'])") == (
        "没有卡格式 'H1'；是否指 'H10301'？（给出的是 ['H1']）"
    )


SHIPPED = [load_board(name) for name in board_names()]
NAMES = sorted({name for board in SHIPPED for name in [*board.nodes, *board.rooms.get("doors", {})]})


@pytest.mark.parametrize("language", FOREIGN)
@pytest.mark.parametrize("name", [*NAMES, "off", "none", "strike", "Reader"])
def test_the_name_of_a_door_or_a_reader_is_not_translated_where_somebody_has_to_write_it(
    language: str, name: str
) -> None:
    words = catalogue(language)
    told = words.told(f"no door 'x'{nearest('zz', (name,))}")
    assert told == words.messages["no door {0!r}"].format("'x'") + words.messages["; valid: {0}"].format(name)
    assert words.told(f"{name} cannot be listened to (x)") == words.messages["{0} cannot be listened to ({1})"].format(
        name, "x"
    )


def test_what_a_page_shows_again_is_not_looked_up_again() -> None:
    phrases = Phrases(catalogue("de").messages)
    assert phrases.said("no door 'x'") == phrases.said("no door 'x'")
    assert phrases.said.cache_info().hits == 1


def test_a_reason_within_a_reason_is_translated_too() -> None:
    german = catalogue("de")
    assert german.told("storage is full (No space left on device); nothing was changed") == (
        "der Speicher ist voll (kein Speicherplatz mehr); nichts wurde geändert"
    )
    assert german.told("storage is full; nothing was changed") == "der Speicher ist voll; nichts wurde geändert"
    assert german.told("relay1: the bus was closed") == "relay1: der Bus wurde geschlossen"
    assert german.told("The bundle is for another model (for 'A'; this is B).") == (
        "Das Paket ist für ein anderes Modell (für 'A'; dies ist B)."
    )


def test_an_error_says_its_kind_and_its_reason_in_the_language_and_its_place_as_programs_know_it() -> None:
    class Someone:
        def say(self, text: str, **holes: object) -> str:
            return catalogue("sv").gettext(text)

        def told(self, text: str) -> str:
            return catalogue("sv").told(text)

    error: StationError = Forbidden("accounts", "needs admin, 'vic' is not")
    assert explained(Someone(), error) == "Inte tillåtet: accounts: kräver administratör, 'vic' är det inte"
    assert set(ERRORS)


class Checked(BaseModel):
    """Fields of every kind that parameters and actions have."""

    whole: Annotated[int, Field(ge=1, le=9)] = 1
    number: Annotated[FiniteFloat, Field(gt=0, lt=5)] = 1
    text: Annotated[str, Field(min_length=2, max_length=4, pattern="^[a-z]*$")] = "ab"
    one: Annotated[str, Field(min_length=1, max_length=1)] = "a"
    either: Literal["a", "b"] = "a"
    among: Literal["a", "b", "c"] = "a"
    only: Literal["a"] = "a"
    yes: bool = True
    at: AwareDatetime | None = None
    few: Annotated[tuple[int, ...], Field(max_length=2)] = ()
    lone: Annotated[tuple[int, ...], Field(max_length=1)] = ()
    listed: Annotated[list[int], Field(max_length=2)] = []
    table: dict[str, int] = {}


@pytest.mark.parametrize(
    "wrong",
    [
        {"whole": 0}, {"whole": 10}, {"whole": "x"}, {"whole": 1.5}, {"whole": []}, {"number": 0}, {"number": 5},
        {"number": "x"}, {"number": []}, {"number": float("inf")}, {"text": 1}, {"text": "a"}, {"text": "abcde"},
        {"text": "A1"}, {"one": ""}, {"one": "ab"}, {"either": "x"}, {"among": "x"}, {"only": "x"}, {"yes": "maybe"},
        {"yes": []}, {"at": "x"}, {"few": (1, 2, 3)}, {"few": 1}, {"lone": (1, 2)}, {"listed": [1, 2, 3]},
        {"listed": 1}, {"table": 1}, {"whole": None},
    ],
)  # fmt: skip
def test_what_a_check_says_of_a_value_is_known_in_every_language(wrong: dict[str, object]) -> None:
    with pytest.raises(Invalid) as caught:
        decode(Checked, wrong, where="place")
    message = caught.value.message
    for language in FOREIGN:
        told = catalogue(language).told(message)
        assert told != message, message
        assert re.findall(r"'[^']*'", told) == re.findall(r"'[^']*'", message)


def test_every_check_of_the_list_is_said_by_some_value() -> None:
    # Were one of them worded otherwise by a newer library, the test above would not know it, and this not miss it.
    heard = set()
    value: object
    for name in Checked.model_fields:
        for value in (0, 10, "x", 1.5, [], 5, float("inf"), 1, "a", "abcde", "A1", "", "ab", "maybe", (1, 2, 3), (1, 2),
                      [1, 2, 3], None, {}):  # fmt: skip
            try:
                decode(Checked, {name: value}, where="place")
            except Invalid as error:
                heard |= {text for text in CHECKS if Template.of(text).values(error.message.partition(" (got ")[0])
                          is not None}  # fmt: skip
    assert sorted(set(CHECKS) - heard) == []


def test_a_template_names_its_holes_by_numbers() -> None:
    with pytest.raises(ValueError, match="'name'"):
        Template.of("Remove {name}?")
    assert Template.of("give {{a}} and {0!r}") == Template(("give {a} and ", ""), (True,))


def test_a_catalogue_without_messages_says_everything_as_it_is() -> None:
    assert Catalogue({}).told("no door 'x'") == "no door 'x'"


def test_the_tool_finds_the_ways_in_which_a_message_can_be_said() -> None:
    def texts(name: str) -> set[str]:
        return {text for text, _ in found_in(ROOT / name)}

    assert "no action {0!r}" in texts("firmware/core/actions.py")  # the hint of `nearest` is an ending
    assert "storage is full{0}; nothing was changed" in texts("firmware/core/store_disk.py")  # a table of words
    assert "Hold time, repetition and alarm times of door {0}." in texts("firmware/access/settings.py")
    assert {"the last change was taken back: {0}", "as asked"} <= texts("firmware/system/network_service.py")
    assert "fps is 0 (as many as possible) or 1 to {0}" in texts("firmware/video/settings.py")  # `(got ...)` is one too
    assert "The file is no firmware bundle." in texts("firmware/upgrade/refusals.py")


def test_what_the_tool_leaves_out_and_looks_up_is_there() -> None:
    assert [name for name in ELSEWHERE if not (ROOT / name).exists()] == []
    for name, table in TABLES:
        assert table in (ROOT / name).read_text(encoding="utf-8")
