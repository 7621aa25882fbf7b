"""The camera in a board file, and who may open it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from hal.assemble import assemble
from hal.board import CameraNode, describe_board, parse_board
from hal.errors import BoardError
from hal.sim.scene.peer import CameraPeer
from hal.sim.time import VirtualClock, virtual_run
from hal.sim.wires import SimWires
from hal.sim.world import World
from tests.unit.camera.bench import BOARD, camera_board


def test_a_camera_node_is_read_and_explained() -> None:
    board = camera_board()
    node = board.nodes["camera1"]
    assert isinstance(node, CameraNode)
    assert (node.width, node.height, node.fps) == (1280, 720, 60)
    assert "camera" in board.capabilities
    text = describe_board(board)
    assert "  csi0: csi port=0\n" in text
    assert "  camera1 (entrance): camera bus=csi0 fps=60 height=720 width=1280\n" in text


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('bus = "csi0", alias', 'bus = "csi1", alias', "unknown camera bus 'csi1'"),
        ('bus = "csi0", alias', 'bus = "gpio0", alias', "unknown camera bus 'gpio0'"),
        ("width = 1280", "width = 1281", "nodes.camera1.width"),
        ("fps = 60", "fps = 0", "nodes.camera1.fps"),
        ("fps = 60", "fsp = 60", "did you mean 'fps'?"),
        ('kind = "csi"', 'kind = "csi", port = 4', "buses.csi0.port"),
        ("[nodes]", '[buses.csi1]\nkind = "csi"\n[nodes]', "'csi:0' is already buses.csi0"),
        ("[nodes]", '[nodes]\nother = { compatible = "camera", bus = "csi0" }', "csi0 is already that of nodes.other"),
    ],
)  # fmt: skip
def test_a_wrong_camera_is_one_line_that_names_the_place(old: str, new: str, complaint: str) -> None:
    with pytest.raises(BoardError) as caught:
        parse_board(BOARD.replace(old, new), "camera bench")
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


def test_control_assembles_the_board_and_leaves_the_camera_closed() -> None:
    async def main(clock: VirtualClock) -> None:
        world = World(clock, camera_board())
        wires = SimWires(world)
        assembled = await assemble(world.board, wires, clock)
        try:
            await clock.sleep(10)
            assert set(assembled.hardware.relays) == {"relay1"}
            peer = world.find("camera:entrance")
            assert isinstance(peer, CameraPeer)
            assert [on for _, on in peer.trace.points] == [False]
        finally:
            await assembled.close()
            await wires.close()
            world.close()

    virtual_run(main)


def test_what_control_imports_has_no_numpy_and_no_camera_library() -> None:
    script = (
        "import sys, firmware.app, firmware.board_process.process, hal.assemble, hal.buses.real, hal.sim.remote\n"
        "print(sorted({'numpy', 'simplejpeg', 'picamera2', 'hal.planes', 'hal.drivers.camera'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"
