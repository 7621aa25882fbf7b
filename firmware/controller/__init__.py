"""The controller room: somebody's door controller behind us, over Wiegand, OSDP or the network."""
