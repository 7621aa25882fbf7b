"""I2C chips at register level, behind the same calls as the real bus.

The bus moves bytes in the order of the wire; a chip keeps its own registers and its own byte order, so a
driver that swaps a word or forgets a busy bit fails here as it would on the bench.
"""

from hal.sim.chips.ads1115 import Ads1115
from hal.sim.chips.bus import Chip, ChipBus, SimI2c
from hal.sim.chips.mcp23017 import Mcp23017

__all__ = ["Ads1115", "Chip", "ChipBus", "Mcp23017", "SimI2c"]
