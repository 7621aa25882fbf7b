"""The reference dispatcher: the far end of the cloud connection, for owners of a few devices and for tests.

No part of a device. Devices call it over TLS; on an address of its own (the loopback unless told otherwise) its owner
sees them and reaches their APIs. docs/cloud.md describes both sides.
"""
