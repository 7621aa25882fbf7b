"""The frame of every report: one HTML page that needs nothing from anywhere, legible on light and dark screens."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

STYLE = """
:root { color-scheme: light dark; --line: #8888; --good: #1a7f37; --bad: #c62828; --wave: #1565c0; --soft: #8882; }
@media (prefers-color-scheme: dark) { :root { --good: #57c785; --bad: #ff7b72; --wave: #79b8ff; } }
body { font: 15px/1.45 system-ui, sans-serif; max-width: 64rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin: 2rem 0 .3rem; }
table { border-collapse: collapse; } td, th { padding: .15rem .8rem .15rem 0; text-align: left; font-weight: normal; }
th { border-bottom: 1px solid var(--line); }
td.figure, th.figure { text-align: right; font-variant-numeric: tabular-nums; }
.passed, .good { color: var(--good); } .failed, .bad { color: var(--bad); } .skipped { opacity: .7; }
pre { white-space: pre-wrap; background: var(--soft); padding: .5rem; }
svg.timing { width: 100%; height: auto; font: 11px system-ui, sans-serif; }
.timing .grid { stroke: var(--line); stroke-width: .5; } .timing .rest { stroke: var(--line); fill: none; }
.timing .wave { stroke: var(--wave); stroke-width: 1.4; fill: none; } .timing text { fill: currentColor; }
.timing .box { fill: var(--soft); stroke: var(--wave); } .timing .name { text-anchor: end; }
.timing .tick, .timing .word { text-anchor: middle; }
"""


def page(title: str, parts: Iterable[str]) -> str:
    """A whole page."""
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{STYLE}</style></head><body><h1>{escape(title)}</h1>\n" + "\n".join(parts) + "\n</body></html>\n"
    )


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], *, words: int = 1) -> str:
    """A table whose first `words` columns are words and the others figures."""

    def row(tag: str, cells: Sequence[str]) -> str:
        styles = [tag if at < words else f'{tag} class="figure"' for at in range(len(cells))]
        return (
            "<tr>"
            + "".join(f"<{style}>{escape(cell)}</{tag}>" for style, cell in zip(styles, cells, strict=True))
            + "</tr>"
        )

    return "<table>" + row("th", heads) + "".join(row("td", cells) for cells in rows) + "</table>"
