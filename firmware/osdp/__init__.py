"""The osdp room: external readers on RS-485, their keys, their state, and the trace of their bus."""

from firmware.osdp.service import ExternalReadersService
from firmware.osdp.tracing import OsdpTraceService

__all__ = ["ExternalReadersService", "OsdpTraceService"]
