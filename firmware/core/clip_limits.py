"""The largest audio clip: who takes it from the network and who decodes it must agree."""

LARGEST_BYTES = 32 * 1024 * 1024
