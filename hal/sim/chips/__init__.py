"""I2C chips at register level, behind the same calls as the real bus.

The bus moves bytes in the order of the wire; a chip keeps its own registers and its own byte order, so a
driver that swaps a word or forgets a busy bit fails here as it would on the bench.
"""

from hal.sim.chips.ads1115 import Ads1115
from hal.sim.chips.bus import Chip, ChipBus, SimI2c
from hal.sim.chips.lis3dh import Lis3dh
from hal.sim.chips.mcp23017 import Mcp23017
from hal.sim.chips.opt3001 import Opt3001

__all__ = ["Ads1115", "Chip", "ChipBus", "Lis3dh", "Mcp23017", "Opt3001", "SimI2c"]
