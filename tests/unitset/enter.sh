#!/bin/sh
# The way into the container: a layer of memory over this machine's files, its own /run, /tmp and /dev, then systemd.
# Run by container.py in fresh namespaces: enter.sh FOLDER CHECKOUT PYTHON PACKAGES
#
# FOLDER holds `files` (laid over the machine's files), `units` (beside ours) and `devices` (those that are there). The other three appear in /usr/lib/lintel, as `checkout`, `python` and `packages`.
set -eu
folder=$1
mount --make-rprivate /
mkdir "$folder/memory"
mount -t tmpfs tmpfs "$folder/memory"
root=$folder/memory/root
mkdir "$folder/memory/above" "$folder/memory/work" "$root"
cp -r "$folder/files/." "$folder/memory/above/"
mount -t overlay -o "lowerdir=/,upperdir=$folder/memory/above,workdir=$folder/memory/work" overlay "$root"
cd "$root/usr/lib/lintel"
mkdir checkout python packages
mount --bind -o ro "$2" checkout
mount --bind -o ro "$3" python
mount --bind -o ro "$4" packages
mount -t proc proc "$root/proc"
mount -o bind,ro "$root/proc/sys" "$root/proc/sys"
mount -t sysfs sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
mkdir "$root/dev/pts" "$root/dev/shm" "$root/dev/lintel"
mount -t devpts -o newinstance,ptmxmode=666 devpts "$root/dev/pts"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
while read -r device group name; do
    mkdir -p "$root${device%/*}"
    touch "$root$device"
    mount --bind "$device" "$root$device"
done <"$folder/devices"
for memory in run tmp; do mount -t tmpfs -o mode=755 tmpfs "$root/$memory"; done
chmod 1777 "$root/tmp"
mkdir "$root/run/units" "$root/run/said" "$root/old"
cp -r "$root"/usr/lib/systemd/system/lintel-* "$folder"/units/. "$root/run/units/"
# A process that is chrooted may make no user namespace (PrivateUsers=): the root is changed for good.
cp -r "$folder/devices" "$folder/shared/." "$root/run"
cd "$root"
pivot_root . old
umount -l /old
systemd-sysusers
systemd-tmpfiles --create lintel.conf
while read -r device group name; do # as udev does it
    [ "$name" != - ] || continue
    chgrp "$group" "$device"
    chmod 660 "$device"
    ln -s "$device" "/dev/lintel/$name"
done </run/devices
exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin container=lintel SYSTEMD_UNIT_PATH=/run/units \
    /lib/systemd/systemd --unit=units.target --log-target=null
