#!/bin/sh
# The first process of the guest. It runs twice: first on the host's files, which nobody may write, to lay a layer of
# memory over them; then inside, to make the devices, run the command and switch the machine off.
#
# The folder of the run (bench_run=... on the kernel's command line) holds `command`, `writable` (folders that are
# really the host's), `modules` (where the kernel's modules are) and takes `status` and `messages`.
PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb
export PATH HOME TERM

lay_over() {
    mount -t proc proc /proc
    read -r words </proc/cmdline
    for word in $words; do
        case $word in bench_run=*) run=${word#bench_run=} ;; esac
    done
    mount -t tmpfs -o mode=755 tmpfs /mnt
    root=/mnt/root
    mkdir /mnt/changes /mnt/work "$root"
    mount -t overlay -o lowerdir=/,upperdir=/mnt/changes,workdir=/mnt/work overlay "$root"
    mount -t proc proc "$root/proc"
    mount -t sysfs sysfs "$root/sys"
    mount -t configfs none "$root/sys/kernel/config"
    mount -t debugfs none "$root/sys/kernel/debug"
    mount -t tracefs none "$root/sys/kernel/tracing"
    mount -t cgroup2 none "$root/sys/fs/cgroup"
    mount -t devtmpfs dev "$root/dev"
    mkdir -p "$root/dev/pts" "$root/dev/shm" "$root/run"
    mount -t devpts -o mode=620,ptmxmode=666 devpts "$root/dev/pts"
    for folder in dev/shm run; do mount -t tmpfs -o mode=1777 tmpfs "$root/$folder"; done
    while read -r folder; do
        mkdir -p "$root$folder"
        mount -t hostfs -o "$folder" none "$root$folder"
    done <"$run/writable"
    exec chroot "$root" /bin/sh "$run/guest.sh" inside "$run"
}

make_gpio() {
    # The label and the number of lines of a Raspberry Pi 4.
    chip=/sys/kernel/config/gpio-sim/lintel
    mkdir -p "$chip/bank0"
    echo 54 >"$chip/bank0/num_lines"
    echo pinctrl-bcm2711 >"$chip/bank0/label"
    echo 1 >"$chip/live"
}

make_identity() {
    # Where a Pi has its revision and its serial number; gpiozero and the firmware look here.
    { cat /proc/cpuinfo; printf 'Revision\t: c03114\nSerial\t\t: 10000000a11ce001\nModel\t\t: Raspberry Pi 4 Model B Rev 1.4\n'; } >/run/cpuinfo
    mount --bind /run/cpuinfo /proc/cpuinfo
    # A network port that belongs to a device, with a locally administered address, and its cable in.
    echo "1 1" >/sys/bus/netdevsim/new_device
    for port in /sys/bus/netdevsim/devices/netdevsim1/net/*; do
        ip link set "${port##*/}" address 02:a1:1c:e0:00:01 up
    done
}

name_devices() {
    # What the udev rules of a board do.
    mkdir -p /dev/lintel
    ln -s ../gpiochip0 /dev/lintel/gpio
    ln -s ../i2c-1 /dev/lintel/i2c-1
    ln -s ../ttyVB0 /dev/lintel/rs485
    ln -s ../ttyVB3 /dev/lintel/rs485b
    ln -s ../ttyVB6 /dev/lintel/card-module
}

inside() {
    run=$1
    [ ! -t 0 ] || stty -onlcr
    ip link set lo up
    make_gpio
    modules=$(cat "$run/modules")
    insmod "$modules/i2c-stub.ko" chip_addr=0x20,0x48
    insmod "$modules/bench_i2c.ko"
    insmod "$modules/bench_uart.ko"
    make_identity
    name_devices
    sh "$run/command"
    echo $? >"$run/status"
    dmesg >"$run/messages"
    poweroff -f 2>/dev/null || python3 -c 'import ctypes; ctypes.CDLL(None).reboot(0x4321fedc)'
}

if [ "${1:-}" = inside ]; then inside "$2"; else lay_over; fi
