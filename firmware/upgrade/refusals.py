"""Why a bundle is not let in: one stable code and one sentence for each reason.

The codes are part of the interface (docs/upgrade.md lists them) and never change their meaning.
"""

from __future__ import annotations

from enum import StrEnum

from firmware.core.errors import Refused


class Why(StrEnum):
    """The reasons, in the order in which the gate looks."""

    UNREADABLE = "unreadable"
    NOT_A_BUNDLE = "not-a-bundle"
    TRUNCATED = "truncated"
    APPENDED = "appended"
    SIZE_FIELD = "size-field"
    TOO_LARGE = "too-large"
    NO_KEYRING = "no-keyring"
    SIGNATURE_FORM = "signature-form"
    SIGNATURE_WRONG = "signature-wrong"
    SECOND_JUDGE = "second-judge"
    FOREIGN_KEY = "foreign-key"
    KEY_USAGE = "key-usage"
    NOT_YET_VALID = "certificate-not-yet-valid"
    EXPIRED = "certificate-expired"
    REVOKED = "certificate-revoked"
    CRL_MISSING = "crl-missing"
    CRL_EXPIRED = "crl-expired"
    CERTIFICATE_FORM = "certificate-malformed"
    BINDING = "binding-malformed"
    OTHER_DEVICE = "other-device"
    TOO_LONG_LIVED = "certificate-too-long"
    CLOCK_NOT_SET = "clock-not-set"
    NOT_INSTALLED = "certificate-not-installed"
    PLAIN_FORMAT = "plain-format"
    CRYPT_FORMAT = "crypt-format"
    MANIFEST_FORM = "manifest-malformed"
    DUPLICATE = "manifest-duplicate"
    UNKNOWN = "manifest-unknown"
    HOOKS = "hooks"
    VERSION_FORM = "version-malformed"
    FILENAME = "filename"
    IMAGES = "images"
    IMAGE_TOO_LARGE = "image-too-large"
    OTHER_MODEL = "other-model"
    OTHER_HARDWARE = "other-hardware"
    MODE = "mode-not-allowed"
    FLOOR = "rollback-floor"
    DOWNGRADE = "downgrade"
    LTS_MISSING = "lts-missing"
    PAYLOAD_DAMAGED = "payload-damaged"
    TREE_DAMAGED = "tree-damaged"
    IMAGE_FORM = "image-form"
    LISTING = "listing"
    LINK_OR_DEVICE = "link-or-device"
    PATH = "path"
    TWINS = "twins"
    TOO_MANY = "too-many-entries"
    BOMB = "bomb"
    IMAGE_SIZE = "image-size"
    IMAGE_DAMAGED = "image-damaged"
    CHILD_MEMORY = "gate-memory"
    CHILD_TIME = "gate-time"
    CHILD_CRASHED = "gate-crashed"
    CHILD_ANSWER = "gate-answer"
    CHILD_MISSING = "gate-unavailable"


SENTENCES: dict[Why, str] = {
    Why.UNREADABLE: "The file cannot be read, or is not a plain file.",
    Why.NOT_A_BUNDLE: "The file is no firmware bundle.",
    Why.TRUNCATED: "The file ends before the bundle does; upload it again.",
    Why.APPENDED: "Something follows the end of the bundle.",
    Why.SIZE_FIELD: "The size of the signature does not match the signature.",
    Why.TOO_LARGE: "The bundle is larger than any that this device takes.",
    Why.NO_KEYRING: "This device has no usable list of signers that it trusts.",
    Why.SIGNATURE_FORM: "The signature is not built as a release signature is.",
    Why.SIGNATURE_WRONG: "The signature does not fit the manifest.",
    Why.SECOND_JUDGE: "OpenSSL does not confirm the signature.",
    Why.FOREIGN_KEY: "The signer is nobody whom this device trusts.",
    Why.KEY_USAGE: "The signer's certificate is not made for signing code.",
    Why.NOT_YET_VALID: "A certificate of the signer is not valid yet.",
    Why.EXPIRED: "A certificate of the signer has expired.",
    Why.REVOKED: "A certificate of the signer was revoked.",
    Why.CRL_MISSING: "There is no revocation list for one of the signer's authorities.",
    Why.CRL_EXPIRED: "A revocation list is too old to trust, or dated in the future.",
    Why.CERTIFICATE_FORM: "This is not one certificate, in PEM or DER.",
    Why.BINDING: "The certificate does not say in due form for which device it was made.",
    Why.OTHER_DEVICE: "The certificate was made for another device.",
    Why.TOO_LONG_LIVED: "A device's own certificate may be valid for at most 90 days.",
    Why.CLOCK_NOT_SET: "A device's own certificate needs a clock that is set.",
    Why.NOT_INSTALLED: "The certificate of this signer is not installed on this device.",
    Why.PLAIN_FORMAT: "Bundles of the format 'plain' are not taken; build with 'verity'.",
    Why.CRYPT_FORMAT: "Bundles of the format 'crypt' are not taken; build with 'verity'.",
    Why.MANIFEST_FORM: "The manifest cannot be read.",
    Why.DUPLICATE: "The manifest names something twice.",
    Why.UNKNOWN: "The manifest has a section or key that this device does not know.",
    Why.HOOKS: "Bundles with hooks or handlers are not taken.",
    Why.VERSION_FORM: "The version is not MAJOR.MINOR, with up to two more numbers.",
    Why.FILENAME: "The file name of an image is a path, or not a plain name.",
    Why.IMAGES: "The bundle does not hold exactly the images of this device.",
    Why.IMAGE_TOO_LARGE: "An image does not fit into its slot.",
    Why.OTHER_MODEL: "The bundle is for another model.",
    Why.OTHER_HARDWARE: "The bundle is for another hardware revision.",
    Why.MODE: "The bundle may not be installed in this mode.",
    Why.FLOOR: "The firmware is older than the security floor of this device.",
    Why.DOWNGRADE: "An older version is only taken together with factory default.",
    Why.LTS_MISSING: "Another version has to be installed first.",
    Why.PAYLOAD_DAMAGED: "The content of the bundle is damaged.",
    Why.TREE_DAMAGED: "The hash tree of the bundle is damaged.",
    Why.IMAGE_FORM: "A file system in the bundle cannot be read.",
    Why.LISTING: "The bundle holds other files than its manifest names.",
    Why.LINK_OR_DEVICE: "There is a link, device or other special file in the bundle.",
    Why.PATH: "There is a file name in the bundle that no file may have.",
    Why.TWINS: "Two names in the bundle differ only in the case of letters.",
    Why.TOO_MANY: "There are more files in the bundle than this device takes.",
    Why.BOMB: "The bundle would grow beyond all measure when it is unpacked.",
    Why.IMAGE_SIZE: "An image has another size than the manifest says.",
    Why.IMAGE_DAMAGED: "An image has another content than the manifest says.",
    Why.CHILD_MEMORY: "Checking the bundle took more memory than allowed.",
    Why.CHILD_TIME: "Checking the bundle took longer than allowed.",
    Why.CHILD_CRASHED: "Checking the bundle failed.",
    Why.CHILD_ANSWER: "The check of the bundle gave no clear answer.",
    Why.CHILD_MISSING: "The check of the bundle could not be started.",
}


class Refusal(Refused):
    """A bundle or certificate is not let in; `why` and `code` say for which reason, nothing was changed."""

    def __init__(self, why: Why, detail: str = "", *, where: str = "bundle") -> None:
        sentence = SENTENCES[why]
        super().__init__(where, f"{sentence[:-1]} ({detail})." if detail else sentence)
        self.why = why
        self.detail = detail
        self.code = why.value


def shown(value: object, most: int = 80) -> str:
    """A foreign value as text for a message: quoted, printable, bounded."""
    text = ascii(value)
    return text if len(text) <= most else text[: most - 3] + "..."
