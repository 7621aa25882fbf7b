"""A small machine of its own for the units: systemd as the first process of a container, on the files of this one."""
