"""The Debian package, installed into a clean Debian: `make test-deb`. Needs root, the network and some minutes."""
