"""How programs find this device: mDNS with DNS-SD, SSDP (UPnP), WS-Discovery. Everything here answers strangers.

Engines of our own, because libraries for this are made for clients: they keep what anybody says and answer whoever
asks. Here every answer is bounded by what was heard (hardening row 50; `ration.py`, `post.py`).
"""

from firmware.interfaces.discovery.service import DiscoveryService

__all__ = ["DiscoveryService"]
