"""The logs of the device: access, audit and system, kept in bounded files and sent to remote servers."""

from firmware.interfaces.logs.service import LogsService

__all__ = ["LogsService"]
