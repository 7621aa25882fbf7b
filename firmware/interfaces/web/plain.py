"""Plain pages without the toolkit: the log-in, the first start, and what a person is told who gets no page."""

from __future__ import annotations

import json
from html import escape

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from firmware.interfaces.web.errors import KINDS
from firmware.interfaces.web.visitor import Taste, taste_of
from firmware.interfaces.web.words import N_

ENTRANCE_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
# What an answer that is told as a page keeps of the one for programs.
KEPT = ("allow", "retry-after", "www-authenticate", "set-cookie")


def plain_page(
    taste: Taste, product: str, title: str, body: str, *, attributes: str = "", script: str = ""
) -> Response:
    """A page; `body`, `attributes` (of the body) and `script` (an element) are HTML, the others text."""
    text = f"""<!doctype html>
<html lang="{taste.language}" data-theme="{taste.theme}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)} · {escape(product)}</title>
<link rel="icon" href="/web/icon.svg">
<link rel="stylesheet" href="/web/entrance.css">
{script}
</head>
<body{attributes}>
<main>
<h1><img src="/web/icon.svg" alt="" width="32" height="32"> {escape(product)}</h1>
<h2>{escape(title)}</h2>
{body}
</main>
</body>
</html>
"""
    headers = {"content-security-policy": ENTRANCE_CSP, "cache-control": "no-store"}
    return Response(text, media_type="text/html", headers=headers)


def refusal_page(scope: Scope, refused: Response) -> Response:
    """A refusal for programs, as a page: what kind it is in the visitor's language, why, and the way home."""
    taste = taste_of(Request(scope))
    say = taste.catalogue.gettext
    error = json.loads(bytes(refused.body))["error"]
    title = say(KINDS.get(error["code"], N_("Refused")))
    body = f"""<p role="alert">{escape(error["where"])}: {escape(taste.catalogue.told(error["message"]))}</p>
<p><a href="/">{escape(say(N_("To the first page")))}</a></p>"""
    page = plain_page(taste, "Lintel", title, body)
    page.status_code = refused.status_code
    for name, value in refused.headers.items():
        if name in KEPT:
            page.headers.append(name, value)
    return page
