"""Writes docs/reference/*.md from the code, or with `--check` says which pages are not what the code says now.

python -m tools.reference [--check]
"""

from __future__ import annotations

import sys
from pathlib import Path

from tools.reference.pages import FOLDER, pages


def main(words: list[str]) -> int:
    """Write or check; status 1 when a checked page is outdated."""
    check = words == ["--check"]
    if words and not check:
        print("usage: python -m tools.reference [--check]", file=sys.stderr)
        return 2
    made = pages()
    outdated = [
        name for name, text in made.items() if not (FOLDER / name).exists() or (FOLDER / name).read_text() != text
    ]
    strangers = [path for path in FOLDER.rglob("*.md") if str(path.relative_to(FOLDER)) not in made]
    if check:
        for name in [*outdated, *(f"{path.relative_to(FOLDER)} (no longer made)" for path in strangers)]:
            print(f"docs/reference/{name} is not what the code says; run: make reference", file=sys.stderr)
        return 1 if outdated or strangers else 0
    for path in strangers:
        path.unlink()
    for name in outdated:
        path = FOLDER / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(made[name])
        print(Path("docs/reference") / name)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
