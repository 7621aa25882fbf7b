"""The `osdp` 1.6 package as a panel on a pty, told what to do by lines of JSON and telling what it sees.

Run in a virtual environment of its own: `osdp_peer.py PTY BAUD plain|secure HEX_MASTER_KEY`. The key of a reader is
made from the master key and the reader's own number; a reader on the install key is given its key at once.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
import time

import osdp

logging.getLogger("osdp").setLevel(logging.CRITICAL)


def say(**words: object) -> None:
    """One line to whoever started us."""
    sys.stdout.write(json.dumps(words) + "\n")
    sys.stdout.flush()


class Panel(osdp.ControlPanel):
    """Tells what arrives."""

    def on_raw_card_data_reply_received(self, address: int, found: osdp.RawCardData) -> None:
        say(card=found.data.hex(), bits=found.bit_count)

    def on_keypad_data_reply_received(self, address: int, found: osdp.KeypadData) -> None:
        say(keys=found.data.hex())

    def on_nak_reply_received(self, address: int, nak: osdp.Nak) -> None:
        say(nak=nak.error_code.value)


def led(colour: int) -> osdp.ReaderLedControls:
    """A permanent colour, and green for half a second."""
    record = osdp.ReaderLedControl(
        0,
        0,
        osdp.TemporaryReaderControlCode.SetTemporaryAndStartTimer,
        1,
        0,
        osdp.LedColor.Green,
        osdp.LedColor.Black,
        5,
        osdp.PermanentReaderControlCode.SetPermanentState,
        1,
        0,
        osdp.LedColor(colour),
        osdp.LedColor.Black,
    )
    return osdp.ReaderLedControls([record])


def main(path: str, baud: str, mode: str, master: str) -> None:
    panel = Panel(bytes.fromhex(master))
    bus = panel.start_connection(osdp.SerialPortOsdpConnection(path, int(baud)))
    panel.add_device(bus, 0, True, mode == "secure")
    device = panel._buses[bus]._configured_devices[0]
    say(ready=True)

    def watch() -> None:
        before = None
        while True:
            now = (panel.is_online(bus, 0), device.is_security_established and not device.is_scbkd)
            if now != before:
                before = now
                say(online=now[0], secure=now[1])
            time.sleep(0.02)

    threading.Thread(target=watch, daemon=True).start()
    for order in map(json.loads, sys.stdin):
        if "led" in order:
            say(led=panel.reader_led_control(bus, 0, led(order["led"])))
    panel.shutdown()


if __name__ == "__main__":
    main(*sys.argv[1:])
