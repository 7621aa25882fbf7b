"""Tests of drivers run on wires that live in memory; those are in a file beside this one."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
