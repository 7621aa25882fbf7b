"""What is in the firmware, as a CycloneDX 1.5 list: every locked requirement with its version and its hashes.

python -m tools.package.sbom [OUT]      without OUT to standard output
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from firmware import VERSION
from hal.clock import BUILT
from tools.package.system_files import CHECKOUT

LOCK = CHECKOUT / "requirements" / "base.txt"
PIN = re.compile(r"(?P<name>[a-z0-9][a-z0-9._-]*)==(?P<version>[^\s;]+)(?:\s*;\s*(?P<marker>.*))?")
HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


class NotLocked(ValueError):
    """A line of a lock that pins no version, or names no hash."""


@dataclass(frozen=True, slots=True)
class Requirement:
    """One locked requirement; `marker` says where it is needed, empty for everywhere."""

    name: str
    version: str
    marker: str
    sha256: tuple[str, ...]

    @property
    def reference(self) -> str:
        """Its package URL."""
        return f"pkg:pypi/{self.name}@{self.version}"


def read_lock(text: str) -> Iterator[Requirement]:
    """The requirements of a lock, in its order. Raises NotLocked with the line."""
    for line in text.replace("\\\n", " ").splitlines():
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        pinned, _, hashes = line.partition("--hash=")
        match = PIN.fullmatch(pinned.strip())
        found = tuple(HASH.findall(f"--hash={hashes}"))
        if match is None or not found:
            raise NotLocked(f"not NAME==VERSION with a hash: {line[:80]}")
        yield Requirement(match["name"], match["version"], match["marker"] or "", found)


def component(one: Requirement) -> dict[str, object]:
    """A requirement as CycloneDX has it."""
    known: dict[str, object] = {
        "type": "library",
        "bom-ref": one.reference,
        "name": one.name,
        "version": one.version,
        "purl": one.reference,
        # A release is several files; which one is installed depends on the machine.
        "externalReferences": [
            {"type": "distribution", "url": one.reference, "hashes": [{"alg": "SHA-256", "content": each}]}
            for each in one.sha256
        ],
    }
    if one.marker:
        known["properties"] = [{"name": "lintel:marker", "value": one.marker}]
    return known


def sbom(text: str) -> dict[str, object]:
    """The list of a lock: the same for the same lock and version."""
    requirements = sorted(read_lock(text), key=lambda one: (one.name, one.version))
    itself = f"pkg:generic/lintel@{VERSION}"
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, VERSION + text)}",
        "version": 1,
        "metadata": {
            "timestamp": BUILT.isoformat().replace("+00:00", "Z"),
            "component": {
                "type": "firmware",
                "bom-ref": itself,
                "name": "lintel",
                "version": VERSION,
                "licenses": [{"license": {"id": "Apache-2.0"}}],
            },
        },
        "components": [component(one) for one in requirements],
        "dependencies": [{"ref": itself, "dependsOn": [one.reference for one in requirements]}],
    }


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="sbom", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", type=Path, nargs="?")
    asked = parser.parse_args()
    text = json.dumps(sbom(LOCK.read_text()), indent=1) + "\n"
    if asked.out is None:
        print(text, end="")
        return 0
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    asked.out.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
