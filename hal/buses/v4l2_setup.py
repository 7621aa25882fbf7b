"""How a video device is made ready: whether it is a camera, its format, its rate, and what can be tuned."""

from __future__ import annotations

import errno
import math

from hal.buses import motion_jpeg
from hal.buses import v4l2_kernel as kernel
from hal.errors import BusError
from hal.pictures import CameraSettings, Size, Tuning

# A camera that says 29.97 does 30.
NEAR = 0.98
_MOST_INTERVALS = 100

# Setting -> the kernel's control.
SLIDERS = {
    Tuning.BRIGHTNESS: 0x0098_0900,
    Tuning.CONTRAST: 0x0098_0901,
    Tuning.SATURATION: 0x0098_0902,
    Tuning.SHARPNESS: 0x0098_091B,
}
EXPOSURE_MODE, EXPOSURE_100US, RATE_MAY_DROP = 0x009A_0901, 0x009A_0902, 0x009A_0903
MANUAL, APERTURE_PRIORITY = 1, 3


def check_capture(bus: str, device: kernel.Device) -> str:
    """The name of a camera's driver. Raises BusError for a device that is no camera."""
    caps = kernel.Capability()
    try:
        device.call(kernel.QUERYCAP, caps)
    except OSError as error:
        raise BusError(bus, f"is not a video device: {error.strerror}") from error
    able = caps.device_caps if caps.capabilities & kernel.DEVICE_CAPS else caps.capabilities
    if not able & kernel.CAN_CAPTURE or not able & kernel.CAN_STREAM:
        raise BusError(bus, f"{caps.card.decode(errors='replace')} does not deliver pictures")
    return str(caps.driver.decode(errors="replace"))


def choose_format(bus: str, device: kernel.Device, size: Size, fps: float) -> kernel.Pixels:
    """Set size and pixel format: the cheapest that does the rate, else the fastest.

    Raises BusError with what the camera offers instead, OSError.
    """
    slower: dict[int, float] = {}  # the cheapest first
    offered, lacking = "", False
    for wanted in (kernel.PLANAR, kernel.PACKED, kernel.MOTION):
        pixels = set_format(device, wanted, size)
        if pixels.pixelformat != wanted or (pixels.width, pixels.height) != (size.width, size.height):
            letters = pixels.pixelformat.to_bytes(4, "little").decode("ascii", "replace")
            offered = f"{Size(pixels.width, pixels.height)} in {letters}"
        elif wanted == kernel.MOTION and motion_jpeg.load() is None:
            lacking = True
        else:
            most = most_fps(device, wanted, size)
            if most >= fps * NEAR:
                return pixels
            slower[wanted] = most
    if slower:
        return set_format(device, max(slower, key=slower.__getitem__), size)
    if lacking:
        raise BusError(
            bus, f"the camera sends {size} only as Motion JPEG, for which the package {motion_jpeg.PACKAGE} is missing"
        )
    raise BusError(bus, f"the camera cannot do {size} in YU12, YUYV or MJPG; it offers {offered}")


def set_format(device: kernel.Device, wanted: int, size: Size) -> kernel.Pixels:
    """Set a pixel format and size; answers what the camera took instead. Raises OSError."""
    form = kernel.Format(type=kernel.CAPTURE)
    form.fmt.pix = kernel.Pixels(
        width=size.width, height=size.height, pixelformat=wanted, field=1, priv=kernel.PIXELS_MAGIC
    )
    device.call(kernel.S_FMT, form)
    pixels: kernel.Pixels = form.fmt.pix
    return pixels


def most_fps(device: kernel.Device, pixelformat: int, size: Size) -> float:
    """The highest rate of a format and size; infinite where the driver does not tell. Raises OSError."""
    shortest_s = math.inf
    for index in range(_MOST_INTERVALS):
        interval = kernel.Interval(index=index, pixel_format=pixelformat, width=size.width, height=size.height)
        try:
            device.call(kernel.ENUM_FRAMEINTERVALS, interval)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENOTTY):
                raise
            break
        if interval.denominator:  # what is first of a range is its shortest
            shortest_s = min(shortest_s, interval.numerator / interval.denominator)
        if interval.type != kernel.DISCRETE:
            break
    return 1 / shortest_s if 0 < shortest_s < math.inf else math.inf


def choose_rate(device: kernel.Device, fps: float) -> float:
    """Set the rate; answers the one the camera took, or the wish where it cannot be set. Raises OSError."""
    rate = kernel.Rate(type=kernel.CAPTURE, numerator=1000, denominator=round(fps * 1000))
    try:
        device.call(kernel.S_PARM, rate)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTTY):
            raise
        return fps
    return rate.denominator / rate.numerator if rate.numerator and rate.denominator else fps


def tune(device: kernel.Device, settings: CameraSettings) -> frozenset[Tuning]:
    """Set everything the camera has; answers what that is. Raises OSError."""
    has = set()
    for tuning, number in SLIDERS.items():
        query = device.query(number)
        if query is not None:
            has.add(tuning)
            device.set(number, slid(getattr(settings, tuning), query))
    mode, exposure = device.query(EXPOSURE_MODE), device.query(EXPOSURE_100US)
    if mode is not None and exposure is not None:
        has.add(Tuning.EXPOSURE)
        if settings.exposure_us is None:
            device.set(EXPOSURE_MODE, APERTURE_PRIORITY)
        else:
            device.set(EXPOSURE_MODE, MANUAL)
            wanted = round(settings.exposure_us / 100)
            device.set(EXPOSURE_100US, min(max(wanted, exposure.minimum), exposure.maximum))
        if device.query(RATE_MAY_DROP) is not None:
            device.set(RATE_MAY_DROP, 0)  # automatic exposure must not slow the stream
    return frozenset(has)


def slid(value: int, query: kernel.Query) -> int:
    """A slider of 0 to 100 as the camera's number: 50 is its default."""
    low, own, high = int(query.minimum), int(query.default_value), int(query.maximum)
    part = (value - 50) / 50
    return round(own + part * ((high - own) if part > 0 else (own - low)))
