"""Programs of other people that talk to the device, each in an environment of its own."""
