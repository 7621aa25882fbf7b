"""Diagrams of readers and controllers: Wiegand in and out, RS-485."""

from __future__ import annotations

from tools.drawings.drawer import Drawing


def wiegand_reader() -> Drawing:
    """A reader with 5 V data lines at a 3.3 V processor."""
    it = Drawing(880, 470, "A Wiegand reader at a Raspberry Pi, through level shifting")
    data = ("3.3 V  pin 1", "D0  GPIO 23  pin 16", "D1  GPIO 24  pin 18", "5 V  pin 2", "ground  pin 6")
    lamps = ("red  GPIO 5  pin 29", "green  GPIO 6  pin 31", "beeper  GPIO 7  pin 26")
    _, pi = it.box((20, 30), 180, "Raspberry Pi", right=(*data, "", "", *lamps))
    shifter = ("3.3 V", "A1", "A2", "", "ground"), ("5 V", "B1", "B2", "", "ground")
    low, high = it.box((310, 30), 180, "level shifter", *shifter)
    it.box((310, 226), 180, "open-drain buffer", ("", "", ""))
    ends = ("+12 V  red", "D0  green", "D1  white", "", "ground  black")
    far = ("red lamp", "green lamp", "beeper")
    reader, _ = it.box((680, 30), 170, "reader", (*ends, "", "", *far))
    for a, b in ((data[0], "3.3 V"), (data[1], "A1"), (data[2], "A2"), (data[4], "ground")):
        it.wire(pi[a], low[b])
    it.wire(high["B1"], reader[ends[1]])
    it.wire(high["B2"], reader[ends[2]])
    it.wire(high["ground"], reader[ends[4]])
    it.wire(pi[data[3]], (255, pi[data[3]][1]), (255, 18), (520, 18), (520, high["5 V"][1]), high["5 V"])
    for name, lamp in zip(lamps, far, strict=True):
        y = pi[name][1]
        it.wire(pi[name], (310, y))
        it.wire((490, y), reader[lamp])
        it.wire((392, y - 8), (392, y + 8), (408, y), (392, y - 8))
    it.supply((610, reader[ends[0]][1]), "12 V")
    it.wire((610, reader[ends[0]][1]), reader[ends[0]])
    it.dot((580, high["ground"][1]))
    it.ground((580, high["ground"][1]))
    it.notes((20, 392), "The shifter has pull-ups on both sides (10 kilo-ohm), or a resistor for each is added.",
             "The buffer does not invert: low at the Pi is low at the reader, which lights.",
             "Never 5 V at a line of the Pi: its inputs stand 3.3 V.")  # fmt: skip
    it.warning(
        (20, 452), "Join the grounds of the reader, its supply and the Pi: most random bits are a missing ground."
    )
    return it


def wiegand_out() -> Drawing:
    """Two transistors that play a reader for somebody's controller."""
    it = Drawing(800, 400, "Our Wiegand output at a door controller, through two transistors")
    _, pi = it.box(
        (20, 40),
        180,
        "Raspberry Pi",
        right=("D0  GPIO 12  pin 32", "", "", "D1  GPIO 21  pin 40", "", "", "ground  pin 39"),
    )
    controller, _ = it.box((600, 40), 170, "door controller", ("D0", "", "", "D1", "", "", "ground"))
    for name, data in (("D0  GPIO 12  pin 32", "D0"), ("D1  GPIO 21  pin 40", "D1")):
        y = pi[name][1]
        left, right = it.resistor((270, y + 30), "1k")
        it.wire(pi[name], (225, y), (225, y + 30), left)
        base, collector, emitter = it.transistor((350, y + 30), "NPN, 100 mA")
        it.wire(right, base)
        it.wire(collector, (collector[0], y), controller[data])
        it.wire(emitter, (emitter[0], y + 52))
        it.ground((emitter[0], y + 52))
    it.wire(pi["ground  pin 39"], controller["ground"])
    it.dot((300, controller["ground"][1]))
    it.ground((300, controller["ground"][1]))
    it.text((520, 76), "5 V, pulled up inside", anchor="middle", style="n")
    it.notes((20, 312), 'A high line is a pulse (active = "high"): the transistor pulls the data line to ground.',
             "At reset the processor pulls GPIO 9 to 27 down: both data lines idle, the controller hears nothing.",
             "GPIO 0 to 8 are pulled up at reset and would be heard at every boot.")  # fmt: skip
    it.warning((20, 370), "The grounds of both must be joined.")
    return it


def rs485() -> Drawing:
    """A transceiver, a twisted pair, two terminating resistors."""
    it = Drawing(880, 340, "An OSDP reader on RS-485")
    names = ("3.3 V  pin 1", "TX  GPIO 14  pin 8", "RX  GPIO 15  pin 10", "DE  GPIO 17  pin 11", "ground  pin 14")
    _, pi = it.box((20, 30), 180, "Raspberry Pi", right=names)
    near = ("VCC", "DI", "RO", "DE and /RE", "ground")
    left, right = it.box((290, 30), 170, "transceiver, 3.3 V", near, ("", "A (+)", "", "B (-)", "ground"))
    reader, _ = it.box((700, 30), 150, "reader", ("+12 V", "A (+)", "", "B (-)", "ground"))
    for name, pin in zip(names, near, strict=True):
        it.wire(pi[name], left[pin])
    for pin in ("A (+)", "B (-)", "ground"):
        it.wire(right[pin], reader[pin])
    top, bottom = right["A (+)"][1], right["B (-)"][1]
    for x in (495, 640):
        up, down = it.resistor((x, (top + bottom) / 2), "120", upright=True)
        it.wire((x, top), up)
        it.wire(down, (x, bottom))
        it.dot((x, top), (x, bottom))
    it.supply((668, reader["+12 V"][1]), "12 V")
    it.wire((668, reader["+12 V"][1]), reader["+12 V"])
    it.text((578, top - 10), "twisted pair", anchor="middle", style="n")
    it.notes(
        (20, 256),
        "120 ohm at both ends of the pair and nowhere between; further readers hang on A and B in between.",
        "DE is switched by the port itself (rs485 = true). An adapter that does it alone: rs485 = false, no DE.",
    )
    it.warning((20, 312), "A third wire joins the grounds; a shield is earthed at one end only.")
    return it
