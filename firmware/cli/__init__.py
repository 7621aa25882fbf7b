"""The command `lintel`: run, explain, bench. Every mistake is one line that names the nearest valid word."""

from firmware.cli.main import run

__all__ = ["run"]
