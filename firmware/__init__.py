"""The firmware of a door station (and of its relatives): services over ports, interfaces over events.

`firmware.app` is the only place that knows everybody; see docs/architecture.md.
"""

VERSION = "0.1.0"
