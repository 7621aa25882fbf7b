"""Composition root: the only file that knows everybody. Builds the roles of a device and runs them.

A role is a core (bus, actions, parameters, stores, link) with the services its board needs. The same
builders serve a child process (`run_role`), `--role all`, and the tests, which hand in their own wires.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

from firmware import VERSION
from firmware.board_process.process import first_of
from firmware.core.actions import ActionTable
from firmware.core.bus import Bus
from firmware.core.context import Core
from firmware.core.errors import StationError
from firmware.core.link.client import LinkClient
from firmware.core.link.hub import Hub
from firmware.core.params import Params
from firmware.core.service import Service
from firmware.core.services import Services
from firmware.core.store import Store
from firmware.core.vocabulary.station import StorageAlarm, StorageProblem
from firmware.options import RunOptions
from firmware.paths import SLOT, RuntimeDir, StateDir
from firmware.roles import duties_on, explain_services, roles_for
from hal.board import Board, describe_board, load_board
from hal.clock import Clock, SystemClock
from hal.errors import HalError
from hal.wires import Wires

__all__ = ["explain", "roles_for", "run_role"]
