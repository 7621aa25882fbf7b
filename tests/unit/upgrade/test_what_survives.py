"""What a restore keeps, of every parameter group there is in any role: the list of the manuals and nothing else."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator

import firmware
from firmware.app import kept_by_restore
from firmware.core.params import Group
from firmware.upgrade.early import kept_names

KEPT = {"boot_proto", "address", "mask", "router", "dns", "ieee8021x", "ieee8021x_identity", "cloud"}
# The manuals know one version of IP; of the other the same stays.
KEPT |= {"ipv6", "ipv6_address", "ipv6_router"}
CLOUD = {"url", "owner_key", "ca", "local", "proxy", "proxy_user", "proxy_password"}


def every(model: type[Group]) -> Iterator[type[Group]]:
    for each in model.__subclasses__():
        yield each
        yield from every(each)


def test_boot_protocol_static_address_router_mask_8021x_cloud_and_dns_survive_and_nothing_else() -> None:
    for module in pkgutil.walk_packages(firmware.__path__, "firmware."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    groups = [model for model in every(Group) if model.__module__.startswith("firmware.") and hasattr(model, "group")]
    assert len({model.group for model in groups}) >= 5
    assert kept_names(tuple(groups)) == kept_by_restore() == {"network": KEPT, "cloud": CLOUD}
