"""The words that values of parameters and facts are, for people: choices, levels, how a port answered, phases of links.

What is no word of a language stays as it is: formats, protocols and rates, which are called so everywhere.
"""

from __future__ import annotations

from firmware.interfaces.web.words import N_

# Choices of parameters.
CHOICES = frozenset(
    {
        N_("PIN"), N_("both"), N_("card"), N_("card and PIN"), N_("card or PIN"),
        N_("deny"), N_("extend"), N_("flag"), N_("grant"), N_("ignore"),
        N_("amber"), N_("blue"), N_("green"), N_("off"), N_("on"), N_("red"), N_("white"),
        N_("always"), N_("auto"), N_("no"), N_("none"), N_("one_click"), N_("static"),
        N_("closed"), N_("cut"), N_("input"), N_("open"), N_("output"), N_("short"),
        N_("file"), N_("line"), N_("microphone"), N_("phantom"), N_("plug-in"),
        N_("Even"), N_("None"), N_("Odd"),
    }
)  # fmt: skip
# Choices that are called so in every language, and the names of what other makers' programs know them by.
NAMES = frozenset(
    {
        "", "#", "*", "Auto", "Custom", "EightBitInvertPadded", "EightBitZeroPadded", "Fix0", "Fix1", "FourBit",
        "Optional", "Override", "Raw", "Wiegand26", "Wiegand34", "Wiegand37", "Wiegand37FacilityCode", "basic", "dhcp",
        "digest", "http", "https", "osdp", "tpm", "wiegand",
    }
)  # fmt: skip
# Words within messages: levels, and what is looked for.
WORDS = (
    N_("admin"), N_("anonymous"), N_("operator"), N_("system"), N_("viewer"), N_("card number"), N_("facility code"),
    N_("length"), N_("dispatcher"), N_("door controller"), N_("host to be tested"), N_("log server"), N_("proxy"),
    N_("port"), N_("reader"), N_("calibration"), N_("test"), N_("closed (refused)"), N_("not connected"),
    # why a reader threw away what it heard
    N_("frame too short"), N_("frame too long"), N_("both lines low at once"), N_("edges lost"), N_("line stuck low"),
    N_("timing outside the interface standard"), N_("check of the frame does not fit"),
)  # fmt: skip
