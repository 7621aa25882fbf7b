"""`make messages`: brings the catalogues of the web interface in step with its texts.

Texts are the literals given to `_`, `say` and `N_`, and what the device itself says (`device_texts.py`). New ones are
added without a translation, those that are gone are taken away, and both sides of a conflict of Git are kept; a test
fails until every text has its translation everywhere.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from firmware.interfaces.web.words import ENGLISH, LANGUAGES, read_po  # noqa: E402
from tools.device_texts import device_texts  # noqa: E402

WEB = ROOT / "firmware" / "interfaces" / "web"
MARKS = ("_", "N_", "say")
HEAD = "Content-Type: text/plain; charset=UTF-8\n"


def texts_of(source: str) -> Iterator[str]:
    """The texts of one module, in their order."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        first = node.args[0]
        if name in MARKS and isinstance(first, ast.Constant) and isinstance(first.value, str):
            yield first.value


def texts() -> list[str]:
    """Every text of the web interface once, by file, and every message of the device."""
    found = (text for path in sorted(WEB.rglob("*.py")) for text in texts_of(path.read_text(encoding="utf-8")))
    return list(dict.fromkeys((*found, *device_texts())))


def quoted(text: str) -> str:
    """A text as a catalogue has it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r")
    return f'"{escaped}"'


def written(messages: dict[str, str]) -> str:
    """A catalogue's file."""
    blocks = [f'msgid ""\nmsgstr {quoted(HEAD)}\n']
    blocks += [f"msgid {quoted(text)}\nmsgstr {quoted(said)}\n" for text, said in messages.items()]
    return "\n".join(blocks)


def sides(text: str) -> list[str]:
    """Both sides of a catalogue that Git could not merge; one text where there is no conflict."""
    ours: list[str] = []
    theirs: list[str] = []
    here = (ours, theirs)
    for line in text.split("\n"):
        if line.startswith("<<<<<<< "):
            here = (ours,)
        elif line.startswith("=======") and len(here) == 1:
            here = (theirs,)
        elif line.startswith(">>>>>>> "):
            here = (ours, theirs)
        else:
            for side in here:
                side.append(line)
    return ["\n".join(ours)] if ours == theirs else ["\n".join(theirs), "\n".join(ours)]


def known_in(path: Path) -> dict[str, str]:
    """What a catalogue translates already, our side last; in a conflict both sides count."""
    found: dict[str, str] = {}
    for side in sides(path.read_text(encoding="utf-8")):
        found |= {text: said for text, said in read_po(side).items() if said}
    return found


def main() -> int:
    """Rewrite every catalogue; says what still has to be translated."""
    wanted = texts()
    for language in LANGUAGES:
        if language == ENGLISH:
            continue
        path = WEB / "locale" / f"{language}.po"
        known = known_in(path) if path.exists() else {}
        messages = {text: known.get(text, "") for text in wanted}
        path.write_text(written(messages), encoding="utf-8")
        missing = [text for text, said in messages.items() if not said]
        print(f"{language}: {len(messages)} texts, {len(missing)} to translate")
        for text in missing:
            print(f"  {text!r}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
