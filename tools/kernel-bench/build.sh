#!/bin/bash
# Builds the kernel of the bench into the folder of its first argument: the kernel itself, its modules, its configuration.
# The folder appears when everything is in it. Root is needed for the packages alone, where they are missing.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
to=$1
source=${KERNEL_SOURCE:-/usr/src/linux-source-6.1.tar.xz}

missing=
need() { # package, then a command that succeeds when it is there
    package=$1
    shift
    "$@" >/dev/null 2>&1 || missing="$missing $package"
}
need linux-source-6.1 test -e "$source"
need gcc command -v gcc
need libc6-dev test -e /usr/include/stdlib.h
need make command -v make
need bc command -v bc
need bison command -v bison
need flex command -v flex
need patch command -v patch
need xz-utils command -v xz
need kmod env PATH="$PATH:/usr/sbin:/sbin" sh -c 'command -v insmod'
need iproute2 env PATH="$PATH:/usr/sbin:/sbin" sh -c 'command -v ip'
if [ -n "$missing" ]; then
    command -v apt-get >/dev/null 2>&1 || { echo "kernel-bench: please install:$missing" >&2; exit 1; }
    as_root=
    [ "$(id -u)" = 0 ] || as_root=sudo
    echo "installing:$missing"
    export DEBIAN_FRONTEND=noninteractive
    $as_root apt-get -o DPkg::Lock::Timeout=300 update -q
    # shellcheck disable=SC2086 # words
    $as_root apt-get -o DPkg::Lock::Timeout=300 install -y -q --no-install-recommends $missing
fi

mkdir -p "$(dirname "$to")"
work=$(mktemp -d "$(dirname "$to")/building.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir "$work/source" "$work/objects" "$work/modules" "$work/done"

run() { # a step, whose words are shown only when it fails
    "$@" >"$work/log" 2>&1 || { echo "kernel-bench: failed: $*" >&2; tail -n 40 "$work/log" >&2; exit 1; }
}
echo "kernel-bench: unpacking the kernel's source"
run tar -xf "$source" -C "$work/source" --strip-components=1
run patch --directory "$work/source" --strip 1 --fuzz 0 --input "$here/kernel.patch"
run make -C "$work/source" ARCH=um O="$work/objects" KCONFIG_ALLCONFIG="$here/kernel.config" allnoconfig
wrong=
while read -r line; do
    case $line in
    CONFIG_*=n) ! grep -q "^${line%=n}=" "$work/objects/.config" || wrong="$wrong $line" ;;
    CONFIG_*) grep -qxF -- "$line" "$work/objects/.config" || wrong="$wrong $line" ;;
    esac
done <"$here/kernel.config"
[ -z "$wrong" ] || { echo "kernel-bench: this kernel has not got:$wrong" >&2; exit 1; }
echo "kernel-bench: building the kernel (two to five minutes)"
run nice -n 15 make -C "$work/objects" ARCH=um -j"$(nproc)"
cp "$here/bench_uart.c" "$here/bench_i2c.c" "$work/modules/"
echo "obj-m += bench_uart.o bench_i2c.o" >"$work/modules/Kbuild"
run nice -n 15 make -C "$work/objects" ARCH=um M="$work/modules" modules
strip -o "$work/done/linux" "$work/objects/linux"
cp "$work/objects/drivers/i2c/i2c-stub.ko" "$work/modules/"*.ko "$work/objects/.config" "$work/done/"
strip --strip-debug "$work/done/"*.ko
mv "$work/done" "$to"
echo "kernel-bench: built in $to"
