"""Whether this device may install what a signer offers: model, revision, mode, floor, direction, LTS path (pure)."""

from __future__ import annotations

from collections.abc import Iterable

from firmware.upgrade.context import GateContext, Mode
from firmware.upgrade.manifest import Manifest, Version, version
from firmware.upgrade.refusals import Refusal, Why, shown

# From this track on every LTS track on the way has to be installed (manual 001, upgrade of the firmware).
LTS_RULE_FROM = (12, 6)
# A bundle for several models cannot name one of them to RAUC.
FAMILY = "lintel"


def compatible_with(models: tuple[str, ...]) -> str:
    """The `compatible` of a bundle: the model in lower case, or the family when there are several."""
    return models[0].lower() if len(models) == 1 else FAMILY


def missing_lts(current: Version, target: Version, lts: Iterable[Version]) -> Version | None:
    """The lowest LTS track that has to be installed between two versions, or None when the path is open.

    Manual 001, Upgrade: "Starting from 12.6, you must install every LTS version between your device's current
    version and the target version." Only the track counts: 11.11.45 has installed 11.11.
    """
    if target.track < LTS_RULE_FROM or target <= current:
        return None
    missing = [one for one in lts if current.track < one.track < target.track]
    return min(missing, default=None)


def check(manifest: Manifest, context: GateContext) -> None:
    """Raises Refusal for the first rule that a manifest breaks."""
    _check_device(manifest, context)
    _check_images(manifest, context)
    _check_direction(manifest, context)


def _check_device(manifest: Manifest, context: GateContext) -> None:
    if context.model not in manifest.models:
        raise Refusal(Why.OTHER_MODEL, f"for {shown(', '.join(manifest.models))}; this is {context.model}")
    if manifest.compatible != compatible_with(manifest.models):
        raise Refusal(
            Why.OTHER_MODEL,
            f"compatible is {shown(manifest.compatible)}; it should be {compatible_with(manifest.models)!r}",
        )
    if manifest.revisions is not None and context.hardware_revision not in manifest.revisions:
        revisions = ", ".join(map(str, manifest.revisions[:10]))
        raise Refusal(Why.OTHER_HARDWARE, f"for revision {revisions}; this is {context.hardware_revision}")
    if context.mode not in manifest.modes:
        raise Refusal(Why.MODE, f"{context.mode}; allowed: {', '.join(manifest.modes)}")


def _check_images(manifest: Manifest, context: GateContext) -> None:
    names = [image.name for image in manifest.images]
    if sorted(names) != sorted(context.images):
        found = ", ".join(names) or "none"
        raise Refusal(Why.IMAGES, f"found {shown(found)}; wanted {', '.join(context.images)}")
    files = [image.filename for image in manifest.images]
    if len({name.casefold() for name in files}) != len(files):
        raise Refusal(Why.TWINS, shown(", ".join(files)))
    for image in manifest.images:
        if not 0 < image.size <= context.slot_size:
            raise Refusal(Why.IMAGE_TOO_LARGE, f"{image.name}: {image.size} bytes; the slot has {context.slot_size}")


def _check_direction(manifest: Manifest, context: GateContext) -> None:
    if manifest.counter < context.floor:
        raise Refusal(Why.FLOOR, f"its count is {manifest.counter}; the floor is {context.floor}")
    running = version(context.running)
    if manifest.version < running and context.mode is not Mode.FACTORY_DEFAULT:
        raise Refusal(Why.DOWNGRADE, f"{manifest.version.text}; this device runs {running.text}")
    if (first := missing_lts(running, manifest.version, manifest.lts)) is not None:
        raise Refusal(Why.LTS_MISSING, f"install {first.text} first; this device runs {running.text}")
