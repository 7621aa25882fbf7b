"""The board: data about what is soldered where, read from TOML and checked before anything is opened.

A mistake in a board file is one `BoardError` line with file, place, value and the nearest valid name.
"""

from hal.board.board import Board
from hal.board.explain import describe_board
from hal.board.load import BOARDS, board_names, load_board, parse_board
from hal.board.models import (
    Ads1115Node,
    BicolourLedNode,
    Bus,
    ButtonNode,
    CameraNode,
    CardModuleNode,
    CsiBus,
    DigitalInputNode,
    DigitalOutputNode,
    GpioBus,
    I2cBus,
    IoPortNode,
    LedNode,
    Mcp23017Node,
    Node,
    OsdpPortNode,
    OsdpReaderNode,
    Product,
    RelayNode,
    RgbLedNode,
    SupervisedInputNode,
    UartBus,
    VideoBus,
    WiegandOutNode,
    WiegandReaderNode,
)
from hal.board.sound import AudioInNode, AudioOutNode

__all__ = [
    "BOARDS",
    "Ads1115Node",
    "AudioInNode",
    "AudioOutNode",
    "BicolourLedNode",
    "Board",
    "Bus",
    "ButtonNode",
    "CameraNode",
    "CardModuleNode",
    "CsiBus",
    "DigitalInputNode",
    "DigitalOutputNode",
    "GpioBus",
    "I2cBus",
    "IoPortNode",
    "LedNode",
    "Mcp23017Node",
    "Node",
    "OsdpPortNode",
    "OsdpReaderNode",
    "Product",
    "RelayNode",
    "RgbLedNode",
    "SupervisedInputNode",
    "UartBus",
    "VideoBus",
    "WiegandOutNode",
    "WiegandReaderNode",
    "board_names",
    "describe_board",
    "load_board",
    "parse_board",
]
