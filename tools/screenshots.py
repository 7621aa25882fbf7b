"""`make screenshots`: every page of the web interface, light and dark, on a desk and on a phone, into docs/images/web.

Starts a simulated door station of its own, makes something to see, and takes the pictures with Chromium. Small files:
WebP, one pixel a point.
"""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from firmware.interfaces.web.pages import PAGES  # noqa: E402
from tests.live.chromium import chromium  # noqa: E402
from tests.live.device import Device, running  # noqa: E402
from tests.live.web.browser import DESK, PHONE, Person  # noqa: E402

IMAGES = ROOT / "docs" / "images"
SIZES = {"desk": DESK, "phone": PHONE}
QUALITY = 60
CARD = "H10301:42:1234"
HOLDERS = (("Ada", CARD), ("Grace", "H10301:42:1235"), ("Edith", "H10301:42:1236"))


def furnished(device: Device) -> None:
    """Something to see: people, an event or two."""
    device.set_up()
    device.api.patch("/params/place", json={"name": "Back door", "time_zone": "Europe/Stockholm", "first_steps": False})
    for name, card in HOLDERS:
        device.api.post("/entries", json={"name": name, "card": card})


def saved(png: bytes, path: Path) -> int:
    """Write a picture; answers its size in bytes."""
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path, quality=QUALITY, method=6)
    return path.stat().st_size


def main() -> int:
    """Take all pictures."""
    total = 0
    with (
        tempfile.TemporaryDirectory() as folder,
        running(Path(folder) / "state") as device,
        chromium(Path(folder) / "browser") as browser,
    ):
        furnished(device)
        for size, viewport in SIZES.items():
            for theme in ("light", "dark"):
                somebody = Person(browser, device, viewport=viewport, color_scheme=theme, locale="en-GB")
                somebody.page.goto("/login")
                total += saved(somebody.page.screenshot(), IMAGES / "web" / f"login_{size}_{theme}.webp")
                somebody.log_in()
                for page in PAGES:
                    somebody.go(page.path)
                    if page.path == "/":
                        device.ask("swipe", "front", CARD)
                        somebody.page.wait_for_selector("[data-door=door][data-released=true]")
                    somebody.page.wait_for_timeout(700)
                    png = somebody.page.screenshot()
                    total += saved(png, IMAGES / "web" / f"{page.name}_{size}_{theme}.webp")
                somebody.close()
    print(f"{IMAGES / 'web'}: {total / 1024:.0f} KiB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
