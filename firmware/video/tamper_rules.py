"""When a picture means tampering: pure decisions from looks at the scene and their times.

The order of things (manuals 001 and 003, Camera tampering): the scene is learned while it is still for 10 s; then the
detector is armed; what is wrong for the trigger delay is tampering, and ends when the learned scene is seen again.
All of it depends on times, not on how many pictures were looked at; so while all is well, fewer are.
"""

from __future__ import annotations

from dataclasses import dataclass

from firmware.core.vocabulary.watch import TamperKind, TamperPhase
from firmware.video.scene_features import Features
from firmware.video.scene_model import FEWEST_CONTOURS, Look, SceneModel

# How often to look: while something goes on, and while the scene is surely well (then every second of these pictures).
LOOKS_HZ, CALM_LOOKS_HZ = 4.0, 2.0
# No camera is exact: this much after a look, the next picture but one is no longer to come.
CALM_GAP_S = 1.2 / LOOKS_HZ

STILL_S = 10.0
CLEAR_S = 2.0
# A moment of a good picture among bad ones (a gap in the rain, a hand that shakes) does not begin the delay again.
GLIMPSE_S = 1.0
RELEARN_S = 600.0

# Below both there is nothing to see: a night without a lamp, or a lid. Luma of 255.
DARK_MEAN, DARK_BRIGHT = 16.0, 40.0
# And where so few of the scene's contours could be seen in the light there is, nothing can be said of them.
TOO_FEW = 0.25
# Less than this part of the contours, and the scene is gone; with less than this part of its blocks alive, covered.
GONE, ALIVE = 0.4, 0.05
SOFT = 0.55
# To be well again it takes more than not to be wrong.
BACK, SHARP = 0.5, 0.45
# While it learns, a picture like the ones before keeps this much of them.
STILL = 0.6

# How fast the model follows a scene that is well: seasons and furniture, not people.
FOLLOW_S = 120.0
LONGEST_STEP_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TamperRules:
    """What people set: `delay_s` the trigger delay, `on_dark` whether a dark picture counts."""

    delay_s: float = 5.0
    on_dark: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What follows from a look: `detected` or `ended` once when tampering begins or ends."""

    detected: TamperKind | None = None
    after_s: float = 0.0
    ended: bool = False
    relearned: bool = False


NOTHING_NEW = Finding()


def is_black(picture: Look | Features) -> bool:
    """Whether there is no light at all."""
    return picture.mean < DARK_MEAN and picture.bright < DARK_BRIGHT


def is_dark(look: Look) -> bool:
    """Whether there is too little light to see the scene, whatever the picture shows."""
    return is_black(look) or look.visible < TOO_FEW


def cause_of(look: Look, rules: TamperRules) -> TamperKind | None:
    """What is wrong with a picture beside the learned scene, or None."""
    if is_dark(look):
        return TamperKind.DARK if rules.on_dark else None
    if look.kept < GONE:
        return TamperKind.COVERED if look.lively < ALIVE else TamperKind.MOVED
    return TamperKind.BLURRED if look.soft >= SOFT else None


def is_well(look: Look) -> bool:
    """Whether the learned scene is surely seen."""
    return not is_dark(look) and look.kept >= BACK and look.soft < SHARP


class TamperWatch:
    """The detector of one camera, without its clock: feed it features, and say when there is no signal."""

    def __init__(self, rules: TamperRules | None = None) -> None:
        self.rules = rules or TamperRules()
        self.tampered: TamperKind | None = None
        self.dark = False
        self._signal = False
        self._model: SceneModel | None = None  # the scene, once it is known
        self._candidate: SceneModel | None = None  # what may become it
        self._candidate_ns = 0
        self._bare = False
        self._wrong_ns: int | None = None  # since when the picture is wrong
        self._wrong_until_ns = 0
        self._well_ns: int | None = None
        self._fed_ns: int | None = None
        self._calm = False  # whether the last look gives no reason to look again soon

    @property
    def phase(self) -> TamperPhase:
        """What it is doing."""
        if not self._signal:
            return TamperPhase.NO_SIGNAL
        if self._model is not None:
            return TamperPhase.ARMED
        return TamperPhase.NO_CONTOURS if self._bare else TamperPhase.LEARNING

    def no_signal(self) -> None:
        """No pictures come; the scene stays known, so that a camera turned meanwhile is noticed."""
        self._signal = False
        self._wrong_ns = self._well_ns = self._fed_ns = None
        self._candidate = None

    def relearn(self) -> Finding:
        """Forget the scene and learn it anew; that ends tampering."""
        ended = self.tampered is not None
        self._model = self._candidate = None
        self._bare = self._calm = False
        self._settle(None)
        return Finding(ended=ended, relearned=True) if ended else NOTHING_NEW

    def is_due(self, t_ns: int) -> bool:
        """Whether to look at the picture of that instant, of `LOOKS_HZ` a second that there are.

        At every one while it learns, is tampered with, or sees anything but the scene; before a scene that is surely
        well only from `CALM_GAP_S` after the last look on. What is wrong is thus noticed one picture later at most.
        """
        return not self._calm or self._fed_ns is None or t_ns - self._fed_ns >= round(CALM_GAP_S * 1e9)

    def feed(self, t_ns: int, now: Features) -> Finding:
        """Take the picture of an instant. Instants rise."""
        if self._model is not None and not self._model.fits(now):
            self._model = self._candidate = None  # the camera has another size: the old scene cannot be compared
        self._signal = True
        since_s = 0.0 if self._fed_ns is None else max(0, t_ns - self._fed_ns) / 1e9
        self._fed_ns = t_ns
        self._calm = False
        if self._model is None:
            self.dark = is_black(now)
            learned = self._learn(t_ns, now)
            if learned is None:
                return NOTHING_NEW
            self._model = learned
            ended = self.tampered is not None
            self._settle(None)
            return Finding(ended=True, relearned=True) if ended else NOTHING_NEW
        look = self._model.look(now)
        self.dark = is_dark(look)
        well = is_well(look)
        if well:
            self._model.teach(now, min(LONGEST_STEP_S, since_s) / FOLLOW_S)
        finding = self._judge(t_ns, now, look)
        self._calm = well and self.tampered is None and self._wrong_ns is None
        return finding

    # learning

    def _learn(self, t_ns: int, now: Features) -> SceneModel | None:
        """The scene, once it has been still and worth looking at for `STILL_S`."""
        candidate = self._candidate
        if self.dark:
            self._candidate = None
            return None
        if candidate is None or not candidate.fits(now) or self._another(candidate, now):
            self._begin(t_ns, now)
            return None
        candidate.teach(now, 0.0)
        if t_ns - self._candidate_ns < round(STILL_S * 1e9):
            return None
        self._bare = candidate.look(now).contours < FEWEST_CONTOURS
        if self._bare:
            self._begin(t_ns, now)
            return None
        self._candidate = None
        return candidate

    def _another(self, candidate: SceneModel, now: Features) -> bool:
        look = candidate.look(now)
        return look.contours >= FEWEST_CONTOURS and (look.kept < STILL or look.soft >= SOFT)

    def _begin(self, t_ns: int, now: Features) -> None:
        self._candidate, self._candidate_ns = SceneModel(now), t_ns

    # judging

    def _judge(self, t_ns: int, now: Features, look: Look) -> Finding:
        cause = cause_of(look, self.rules)
        if self.tampered is not None:
            return self._while_tampered(t_ns, now, look, cause)
        if cause is None:
            if self._wrong_ns is not None and t_ns - self._wrong_until_ns > round(GLIMPSE_S * 1e9):
                self._wrong_ns = None
            return NOTHING_NEW
        if self._wrong_ns is None:
            self._wrong_ns = t_ns
        self._wrong_until_ns = t_ns
        after_s = (t_ns - self._wrong_ns) / 1e9
        if after_s < self.rules.delay_s:
            return NOTHING_NEW
        self._settle(cause)
        return Finding(detected=cause, after_s=after_s)

    def _while_tampered(self, t_ns: int, now: Features, look: Look, cause: TamperKind | None) -> Finding:
        if is_well(look):
            self._candidate = None
            if self._well_ns is None:
                self._well_ns = t_ns
            if t_ns - self._well_ns < round(CLEAR_S * 1e9):
                return NOTHING_NEW
            self._settle(None)
            return Finding(ended=True)
        self._well_ns = None
        if cause is not TamperKind.MOVED:
            self._candidate = None
            return NOTHING_NEW
        return self._get_used(t_ns, now)

    def _get_used(self, t_ns: int, now: Features) -> Finding:
        """A camera that was mounted anew is not tampered with for ever: what is still for long becomes its scene."""
        candidate = self._candidate
        if candidate is None:
            self._begin(t_ns, now)
            return NOTHING_NEW
        look = candidate.look(now)
        if look.contours < FEWEST_CONTOURS or look.kept < STILL:
            self._begin(t_ns, now)
            return NOTHING_NEW
        candidate.teach(now, 0.0)
        if t_ns - self._candidate_ns < round(RELEARN_S * 1e9):
            return NOTHING_NEW
        self._model, self._candidate = candidate, None
        self._settle(None)
        return Finding(ended=True, relearned=True)

    def _settle(self, tampered: TamperKind | None) -> None:
        self.tampered = tampered
        self._wrong_ns = self._well_ns = None
