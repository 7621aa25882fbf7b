"""The wires of a simulated board between two processes: a server beside the world, a client in the firmware.

The world outlives the firmware; a client that goes leaves its lines as they are, and free.
"""

from hal.sim.remote.client import RemoteWires
from hal.sim.remote.server import WorldServer

__all__ = ["RemoteWires", "WorldServer"]
