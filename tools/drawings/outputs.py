"""Diagrams of outputs and inputs: strike, bare relay, isolated module, solid-state relay, supervised loop, rig."""

from __future__ import annotations

from tools.drawings.drawer import Drawing


def strike() -> Drawing:
    """A relay module with a strike, its flyback diode, and the contact read back."""
    it = Drawing(880, 400, "A strike on a relay, with flyback diode and readback")
    names = ("5 V  pin 2", "relay  GPIO 16  pin 36", "ground  pin 34", "", "3.3 V  pin 17", "readback  GPIO 20  pin 38")
    _, pi = it.box((20, 40), 190, "Raspberry Pi", right=names)
    left, right = it.box(
        (300, 40),
        205,
        "relay module, active high",
        ("VCC", "IN", "GND", "", "COM 2", "NO 2"),
        ("", "COM 1", "NO 1", "", "", ""),
    )
    for name, pin in zip(names, left, strict=True):
        if name:
            it.wire(pi[name], left[pin])
    it.supply((560, 70), "12 V")
    it.wire((560, 70), (560, right["COM 1"][1]), right["COM 1"])
    it.wire(right["NO 1"], (660, right["NO 1"][1]), (660, 168))
    up, down = it.coil((660, 200), "strike")
    it.wire((660, 168), up)
    it.dot((660, 168))
    cathode, anode = it.diode((740, 200), "flyback diode, 1 A")
    it.wire((660, 168), (740, 168), cathode)
    it.wire(anode, (740, 238), (660, 238), down)
    it.dot((660, 238))
    it.wire((660, 238), (660, 252))
    it.ground((660, 252))
    it.notes(
        (20, 282),
        "The diode stands across the coil, its ring towards +: without it the coil's kick welds contacts.",
        "An AC strike has a varistor in its place, never a diode. Locked without current (fail-secure): NO;",
        "locked with current (fail-safe): NC. Ask the fire officer which.",
        "A second pole shows the firmware what the contact really does (readback). Without one, leave it out.",
    )
    it.warning((20, 366), "The strike has a supply of its own; its current never flows through the Pi.")
    return it


def bare_relay() -> Drawing:
    """A relay without a module: transistor and diode."""
    it = Drawing(760, 350, "A bare relay: transistor and flyback diode")
    names = ("5 V  pin 2", "", "", "GPIO 26  pin 37", "", "ground  pin 39")
    _, pi = it.box((20, 40), 170, "Raspberry Pi", right=names)
    y = pi["GPIO 26  pin 37"][1]
    left, right = it.resistor((260, y), "1k")
    it.wire(pi["GPIO 26  pin 37"], left)
    base, collector, emitter = it.transistor((350, y), "NPN, 500 mA")
    it.wire(right, base)
    it.dot((305, y))
    up, down = it.resistor((305, y + 42), "10k", upright=True, side=-1)
    it.wire((305, y), up)
    ground = pi["ground  pin 39"][1] + 22
    it.wire(pi["ground  pin 39"], (210, pi["ground  pin 39"][1]), (210, ground), (emitter[0], ground), emitter)
    it.wire(down, (305, ground))
    it.dot((305, ground))
    it.ground((emitter[0], ground))
    top = pi["5 V  pin 2"][1]
    upper, lower = it.coil((collector[0], 112 - 3), "coil, 5 V")
    it.wire(pi["5 V  pin 2"], (collector[0], top), upper)
    it.wire(lower, collector)
    cathode, anode = it.diode((collector[0] + 70, 109), "flyback diode")
    it.wire((collector[0], top), (collector[0] + 70, top), cathode)
    it.wire(anode, (collector[0] + 70, lower[1] + 3), (collector[0], lower[1] + 3))
    it.dot((collector[0], top), (collector[0], lower[1] + 3))
    contact_up, contact_down = it.contact((620, 112), "to the load")
    it.wire(contact_up, (620, 70))
    it.wire(contact_down, (620, 150))
    it.notes(
        (20, 294),
        "The 10 kilo-ohm keeps the relay off while the Pi starts and its lines float.",
        "The diode carries the coil's current for a moment after switching off: its ring towards 5 V.",
    )
    it.warning((20, 336), "Never a coil directly on a GPIO line: it gives 16 mA, a relay takes 70.")
    return it


def active_low() -> Drawing:
    """An isolated module whose input is an LED to its supply."""
    it = Drawing(880, 320, "An opto-isolated relay module, active low")
    names = ("3.3 V  pin 1", "GPIO 6  pin 31", "", "5 V  pin 2", "ground  pin 6")
    _, pi = it.box((20, 40), 170, "Raspberry Pi", right=names)
    left, right = it.box(
        (400, 40), 210, "isolated module", ("VCC", "IN", "", "JD-VCC", "GND"), ("", "COM", "NO", "", "")
    )
    for name, pin in zip(names, ("VCC", "IN", "", "JD-VCC", "GND"), strict=True):
        if name:
            it.wire(pi[name], left[pin])
    it.wire(right["COM"], (720, right["COM"][1]))
    it.wire(right["NO"], (720, right["NO"][1]))
    it.text((728, right["COM"][1] + 18), "load, with its own", style="n")
    it.text((728, right["COM"][1] + 34), "flyback diode", style="n")
    it.text((295, 64), "VCC feeds the LED only", anchor="middle", style="n")
    it.text((295, 160), "feeds the coils", anchor="middle", style="n")
    it.notes(
        (20, 240),
        'active = "low" in the board file, and a line of GPIO 0 to 8: pulled up at reset, the relay stays off.',
        "Take the jumper between VCC and JD-VCC out: with 5 V at VCC, 3.3 V does not quite switch the LED off.",
        "For true isolation JD-VCC and GND come from another supply, and GND is not joined to the Pi.",
    )
    it.warning((20, 304), "On GPIO 9 to 27 such a module pulls in at every boot, until the firmware takes the line.")
    return it


def solid_state() -> Drawing:
    """A solid-state relay, driven through a transistor."""
    it = Drawing(820, 330, "A solid-state relay")
    names = ("5 V  pin 2", "", "GPIO 26  pin 37", "", "ground  pin 39")
    _, pi = it.box((20, 40), 170, "Raspberry Pi", right=names)
    control, load = it.box((480, 40), 150, "SSR", ("+", "", "-"), ("1", "", "2"))
    y = pi["GPIO 26  pin 37"][1]
    left, right = it.resistor((260, y), "1k")
    it.wire(pi["GPIO 26  pin 37"], left)
    base, collector, emitter = it.transistor((350, y + 28), "NPN, 100 mA")
    it.wire(right, (310, y), (310, base[1]), base)
    it.wire(pi["5 V  pin 2"], control["+"])
    it.wire(control["-"], (collector[0], control["-"][1]), collector)
    ground = pi["ground  pin 39"][1] + 20
    it.wire(pi["ground  pin 39"], (210, pi["ground  pin 39"][1]), (210, ground), (emitter[0], ground), emitter)
    it.ground((emitter[0], ground))
    it.wire(load["1"], (700, load["1"][1]))
    it.wire(load["2"], (700, load["2"][1]))
    it.text((708, load["1"][1] + 32), "load", style="n")
    it.notes(
        (20, 260),
        "Many need more than 3.3 V at their input: the transistor gives them 5 V. One for AC switches AC only.",
        "It leaks a few mA when off: a small strike may hum or stay open. Give the load a resistor in parallel,",
        "or take a relay.",
    )
    it.warning((20, 318), "A coil on a DC type needs its flyback diode as on any relay. No contact to read back.")
    return it


def loop() -> Drawing:
    """A supervised loop with two end-of-line resistors."""
    it = Drawing(800, 270, "A supervised loop with end-of-line resistors")
    _, pi = it.box((20, 40), 150, "converter", right=("3.3 V", "channel", "ground"))
    y = pi["channel"][1]
    up, down = it.resistor((250, 50), "pullup_ohm, 10k", upright=True)
    it.wire(pi["3.3 V"], (200, pi["3.3 V"][1]), (200, 22), (250, 22), up)
    it.wire(down, (250, y))
    it.dot((250, y))
    it.wire(pi["channel"], (250, y))
    left, right = it.resistor((520, y), "eol_ohm, 4k7")
    it.wire((250, y), left)
    bottom = y + 92
    it.wire(right, (600, y), (600, y + 20))
    top, low = it.contact((600, y + 44), "")
    it.text((580, y + 48), "contact", anchor="end", style="n")
    it.wire((600, y + 20), top)
    it.wire(low, (600, bottom))
    a, b = it.resistor((680, y + 44), "eol_ohm, 4k7", upright=True)
    it.wire((600, y + 20), (680, y + 20), a)
    it.wire(b, (680, bottom), (600, bottom))
    it.dot((600, y + 20), (600, bottom))
    it.wire((600, bottom), (200, bottom), (200, pi["ground"][1]), pi["ground"])
    it.text((385, y - 10), "cable", anchor="middle", style="n")
    it.notes(
        (20, 236),
        "Both resistors sit at the far end, in the contact's housing: closed reads one of them, open two,",
        "a cut cable none, a short nothing. A resistor in the cabinet supervises the cabinet.",
    )
    return it


def rig() -> Drawing:
    """A line of the board and a probe line, joined through a resistor."""
    it = Drawing(700, 230, "A wire of a test rig")
    _, board = it.box((20, 40), 180, "Pi under test", right=("GPIO 17  pin 11", "", "ground  pin 6"))
    probe, _ = it.box((480, 40), 180, "probe", ("GPIO 22  pin 15", "", "ground"))
    left, right = it.resistor((340, board["GPIO 17  pin 11"][1]), "1k")
    it.wire(board["GPIO 17  pin 11"], left)
    it.wire(right, probe["GPIO 22  pin 15"])
    it.wire(board["ground  pin 6"], probe["ground"])
    it.notes((20, 186), "The resistor keeps both lines whole when both drive: 3.3 mA at most.",
             "The probe is the same Pi, or a second one; then the ground wire is needed.")  # fmt: skip
    return it
