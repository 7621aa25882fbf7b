"""`python -m firmware`: the same as the command `lintel`."""

from __future__ import annotations

import os
import sys


def main() -> int:
    """Run the command line; returns the exit code."""
    # Pydantic would look through every installed package for plugins, of which none belongs into a device.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    from firmware.cli import run

    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
