#!/bin/sh
# Installs the system packages the build needs, only where they are missing: headers of ALSA and Python and
# a compiler (pyalsaaudio is built from source), the module that makes virtual environments, the tools that make and
# unpack firmware bundles (openssl also judges them on the device), what the tests compare our boot images with
# (mtools, dosfstools), what they watch file operations and talk to RAUC with (strace, dbus-daemon), who else looks at our
# pictures (ffprobe, a browser without a window), a TPM and the way to it (swtpm, tpm2-pkcs11), a cable of our own (ip) and who sets it up (NetworkManager), what judges our units (systemd-analyze), what cleans the sound of a microphone
# (libspeexdsp), what makes packed pictures planar (libyuv), and what decodes those of a camera (libturbojpeg).
# With the word `benches` also the peers of the benchmarks: who else hands pictures out (ustreamer).
set -eu
missing=
need() { # package, then a command that succeeds when the package's part is there
    package=$1
    shift
    "$@" >/dev/null 2>&1 || missing="$missing $package"
}
python=${PYTHON:-python3}
need python3 command -v "$python"
need python3-venv "$python" -c 'import ensurepip, venv'
need gcc command -v cc
need libc6-dev test -e /usr/include/stdlib.h
need python3-dev "$python" -c 'import os, sysconfig, sys; sys.exit(not os.path.exists(os.path.join(sysconfig.get_paths()["include"], "Python.h")))'
need rauc command -v rauc
need squashfs-tools command -v mksquashfs
need openssl command -v openssl
need libasound2-dev test -e /usr/include/alsa/asoundlib.h
need libspeexdsp1 "$python" -c 'import ctypes; ctypes.CDLL("libspeexdsp.so.1")'
need libyuv0 "$python" -c 'import ctypes; ctypes.CDLL("libyuv.so.0")'
need libturbojpeg0 "$python" -c 'import ctypes; ctypes.CDLL("libturbojpeg.so.0")'
need strace command -v strace
need curl command -v curl
need rsyslog env PATH="$PATH:/usr/sbin:/sbin" sh -c 'command -v rsyslogd'
need rsyslog-openssl sh -c 'ls /usr/lib/*/rsyslog/lmnsd_ossl.so'
need dbus command -v dbus-daemon
need systemd command -v systemd-analyze
need mtools command -v mcopy
need ffmpeg command -v ffprobe
need chromium-headless-shell sh -c 'command -v chromium-headless-shell || command -v chromium'
need swtpm command -v swtpm
need libtpm2-pkcs11-1 sh -c 'ls /usr/lib/*/libtpm2_pkcs11.so.1'
need libengine-pkcs11-openssl sh -c 'ls /usr/lib/*/engines-3/pkcs11.so'
need tpm2-abrmd env PATH="$PATH:/usr/sbin:/sbin" sh -c 'command -v tpm2-abrmd'
need libtss2-tcti-tabrmd0 sh -c 'ls /usr/lib/*/libtss2-tcti-tabrmd.so.0'
need iproute2 command -v ip
need network-manager env PATH="$PATH:/usr/sbin:/sbin" sh -c 'command -v NetworkManager'
need debootstrap env PATH="$PATH:/usr/sbin:/sbin" sh -c 'command -v debootstrap'
need fdisk env PATH="$PATH:/usr/sbin:/sbin" sh -c 'command -v sfdisk'
need e2fsprogs env PATH="$PATH:/usr/sbin:/sbin" sh -c 'command -v mkfs.ext4'
need util-linux command -v nsenter
need dosfstools env PATH="$PATH:/usr/sbin:/sbin" sh -c 'command -v fsck.vfat'
[ "${1:-}" != benches ] || need ustreamer command -v ustreamer
[ -n "$missing" ] || exit 0
if ! command -v apt-get >/dev/null 2>&1; then
    echo "please install:$missing" >&2
    exit 1
fi
as_root=
[ "$(id -u)" = 0 ] || as_root=sudo
echo "installing:$missing"
export DEBIAN_FRONTEND=noninteractive
$as_root apt-get -o DPkg::Lock::Timeout=300 update -q
$as_root apt-get -o DPkg::Lock::Timeout=300 install -y -q --no-install-recommends $missing
