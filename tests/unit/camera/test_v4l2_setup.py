"""Which of a camera's formats is taken: the cheapest that does the size at the rate."""

from __future__ import annotations

import ctypes
import errno
import os
from dataclasses import dataclass, field
from fractions import Fraction

import pytest

from hal.buses import motion_jpeg
from hal.buses import v4l2_kernel as kernel
from hal.buses.v4l2_setup import choose_format, most_fps
from hal.errors import BusError
from hal.pictures import Size

SIZE = Size(1280, 720)
Rates = tuple[Fraction, ...]


@dataclass
class Offers(kernel.Device):
    """A camera that offers formats of one size: at rates, or (None) at some that its driver does not tell."""

    rates: dict[str, Rates | None]
    size: Size = SIZE
    kind: int = kernel.DISCRETE
    formats: list[str] = field(default_factory=list)

    def call(self, request: int, argument: ctypes.Structure | ctypes.c_int) -> None:
        if request == kernel.S_FMT:
            assert isinstance(argument, kernel.Format)
            pixels = argument.fmt.pix
            wanted = pixels.pixelformat.to_bytes(4, "little").decode()
            given = wanted if wanted in self.rates else next(iter(self.rates))
            pixels.pixelformat, pixels.width, pixels.height = kernel.fourcc(given), self.size.width, self.size.height
            self.formats.append(given)
            return
        assert request == kernel.ENUM_FRAMEINTERVALS
        assert isinstance(argument, kernel.Interval)
        rates = self.rates.get(argument.pixel_format.to_bytes(4, "little").decode())
        if (argument.width, argument.height) != (self.size.width, self.size.height):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        if rates is None:
            raise OSError(errno.ENOTTY, os.strerror(errno.ENOTTY))
        if argument.index >= len(rates):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        rate = rates[argument.index]
        argument.type, argument.numerator, argument.denominator = self.kind, rate.denominator, rate.numerator


def at(*rates: float) -> Rates:
    return tuple(Fraction(rate).limit_denominator(1001) for rate in rates)


@pytest.mark.parametrize(
    ("offers", "fps", "taken"),
    [
        ({"YUYV": at(30), "MJPG": at(30), "YU12": at(30)}, 30, "YU12"),
        ({"YUYV": at(30, 15), "MJPG": at(60, 30)}, 30, "YUYV"),
        ({"YUYV": at(10, 5), "MJPG": at(30, 15)}, 30, "MJPG"),
        ({"YUYV": at(10, 5), "MJPG": at(30, 15)}, 10, "YUYV"),
        ({"YU12": at(5), "YUYV": at(10), "MJPG": at(30)}, 8, "YUYV"),
        ({"YUYV": at(10), "MJPG": at(15)}, 30, "MJPG"),  # none does it: the fastest
        ({"YUYV": at(15), "MJPG": at(15)}, 30, "YUYV"),  # as fast, and cheaper
        ({"YUYV": at(30000 / 1001), "MJPG": at(60)}, 30, "YUYV"),
        ({"YUYV": None, "MJPG": None}, 30, "YUYV"),  # it does not tell
        ({"MJPG": None}, 30, "MJPG"),
        ({"YUYV": (), "MJPG": at(30)}, 30, "YUYV"),
    ],
)
def test_the_cheapest_format_that_does_the_rate_is_taken(
    offers: dict[str, Rates | None], fps: float, taken: str
) -> None:
    camera = Offers(offers)
    assert choose_format("usb0", camera, SIZE, fps).pixelformat == kernel.fourcc(taken)
    assert camera.formats[-1] == taken  # as it was set last


@pytest.mark.parametrize("kind", [2, 3])
def test_a_range_of_intervals_counts_by_its_shortest(kind: int) -> None:
    camera = Offers({"YUYV": at(24, 99)}, kind=kind)
    assert most_fps(camera, kernel.PACKED, SIZE) == pytest.approx(24)


def test_a_size_that_it_has_in_no_format_is_refused_with_what_it_offers() -> None:
    with pytest.raises(BusError, match="cannot do 1280 x 720 in YU12, YUYV or MJPG; it offers 640 x 480 in H264"):
        choose_format("usb0", Offers({"H264": at(30)}, size=Size(640, 480)), SIZE, 30)


def test_without_the_library_motion_jpeg_is_refused_with_its_package_or_a_slower_format_is_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(motion_jpeg, "load", lambda: None)
    with pytest.raises(BusError, match=r"usb0: .* 1280 x 720 only as Motion JPEG, .* package libturbojpeg0 is missing"):
        choose_format("usb0", Offers({"MJPG": at(30)}), SIZE, 30)
    assert choose_format("usb0", Offers({"YUYV": at(10), "MJPG": at(30)}), SIZE, 30).pixelformat == kernel.PACKED
    with pytest.raises(BusError, match="it offers 640 x 480 in MJPG"):
        choose_format("usb0", Offers({"MJPG": at(30)}, size=Size(640, 480)), SIZE, 30)
