"""The tutorial as it stands: its commands, run in their order by a shell, do what it says they do."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

from firmware.paths import CHECKOUT
from tests.live.device import LINTEL, PATIENCE_S, environment, running, until

BLOCK = re.compile(r"<!-- run -->\n```sh\n(.*?)```", re.DOTALL)


def test_the_commands_of_the_tutorial_lead_to_a_swiped_card(tmp_path: Path) -> None:
    blocks = BLOCK.findall((CHECKOUT / "docs" / "tutorial.md").read_text())
    with running(tmp_path / "state") as device:

        def typed(block: str) -> str:
            """What a block prints, with this device in the place of the reader's."""
            text = block.replace("127.0.0.1:8080", f"127.0.0.1:{device.port}")
            text = text.replace(".venv/bin/lintel bench", f"{' '.join(LINTEL)} bench --state {device.state}")
            done = subprocess.run(
                ["sh", "-euc", text], check=False, capture_output=True, text=True, timeout=PATIENCE_S, env=environment()
            )
            assert done.returncode == 0, f"{block}\n{done.stderr}"
            return done.stdout

        set_up, swipe, trace, journal, damage = blocks
        typed(set_up)
        assert "Ada" in typed(swipe)
        until("the strike", lambda: json.loads(typed(trace))["points"][1:])
        wanted = {"access/card", "access/granted", "door/released", "io/relay"}
        until("its lines", lambda: wanted <= {line["topic"] for line in json.loads(typed(journal))["lines"]})
        edges = len(json.loads(typed(trace))["points"])
        typed(damage)
        # At most the end of the release that is under way: the stranger's card moved nothing.
        assert len(json.loads(typed(trace))["points"]) <= edges + 1
