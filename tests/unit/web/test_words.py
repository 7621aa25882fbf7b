"""The catalogues of the web interface: complete, in step with the code, and read strictly."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.core.vocabulary.access import Reason
from firmware.interfaces.web.reasons import REASONS, reason_text
from firmware.interfaces.web.words import ENGLISH, LANGUAGES, PoError, catalogue, chosen, read_po

ROOT = Path(__file__).parents[3]
HOLE = re.compile(r"\{(\w*)(?:!r)?\}")
TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from('\n\r\\"{}'))
FOREIGN = [language for language in LANGUAGES if language != ENGLISH]


def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("messages", ROOT / "tools" / "messages.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("language", FOREIGN)
def test_every_text_is_translated_with_the_same_holes_and_nothing_else_is(language: str) -> None:
    wanted = tool().texts()
    messages = {text: said for text, said in catalogue(language).messages.items() if text}
    assert len(wanted) > 20
    assert [text for text in wanted if not messages.get(text)] == []
    assert sorted(set(messages) - set(wanted)) == []
    assert [t for t in wanted if sorted(HOLE.findall(t)) != sorted(HOLE.findall(messages[t]))] == []
    # a value is quoted where it is said, so a translation never quotes it again
    assert [said for said in messages.values() if "!r}" in said] == []


@pytest.mark.parametrize("language", FOREIGN)
def test_no_sentence_is_its_own_translation(language: str) -> None:
    messages = catalogue(language).messages
    words = {text: re.findall(r"[A-Za-z]{2,}", HOLE.sub("", text)) for text in messages}
    same = [text for text, said in messages.items() if text == said and len(words[text]) > 2]
    assert set(same) <= {"HTTP Strict Transport Security"}  # the name of a standard


def test_every_reason_of_a_decision_has_its_words_and_they_are_its_own() -> None:
    assert {reason: reason.value for reason in Reason} == REASONS
    assert (reason_text("wrong PIN"), reason_text("no reason of ours")) == ("wrong PIN", "no reason of ours")


def test_a_catalogue_names_the_line_that_cannot_be_read() -> None:
    for text, line in (('msgid "a"\nmsgstr a', 2), ('"a"', 1), ('msgid "a"\nmsgid "b"', 2), ('msgstr "a"', 1)):
        with pytest.raises(PoError, match=rf"line {line}:"):
            read_po(text)


@given(st.dictionaries(TEXT.filter(bool), TEXT, max_size=8))
def test_what_the_tool_writes_is_read_back_as_it_was(messages: dict[str, str]) -> None:
    found = read_po(tool().written(messages))
    found.pop("")
    assert found == messages


@pytest.mark.parametrize(
    ("wish", "accepted", "language"),
    [
        ("", "", "en"),
        ("", "de", "de"),
        ("", "fr;q=0.4, sv;q=0.9", "sv"),
        ("", "zh-Hans-CN", "zh"),
        ("", "nl, xx;q=2, ;;", "en"),
        ("zh", "de", "zh"),
        ("../de", "de", "de"),
    ],
)
def test_the_language_is_the_visitors_choice_or_the_best_the_browser_takes(
    wish: str, accepted: str, language: str
) -> None:
    assert chosen(wish, accepted) == language


@given(st.text(max_size=60))
def test_no_header_breaks_the_choice_of_a_language(accepted: str) -> None:
    assert chosen("", accepted) in LANGUAGES
