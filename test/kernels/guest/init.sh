#!/bin/busybox sh
# First process of a guest: mounts what programs expect, loads the modules, runs the tests, powers off whatever happens.
/bin/busybox --install -s /usr/bin 2>/dev/null
export PATH=/usr/bin HOME=/root
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts /run/netns /sys/fs/bpf /sys/fs/cgroup
mount -t devpts pts /dev/pts
mount -t tmpfs tmp /tmp
mount -t tmpfs run /run
mkdir -p /run/netns
mount -t bpf bpf /sys/fs/bpf
mount -t cgroup2 cgroup /sys/fs/cgroup
ip link set lo up
while read -r name; do
  insmod "/modules/$name.ko" || echo "init: cannot load $name"
done < /modules/order
stty -F /dev/ttyS1 raw -echo
cd /zerohop || poweroff -f
export NODE_OPTIONS="--import /zerohop/test/kernels/guest/stripped.mjs --no-warnings"
node test/kernels/guest/run.ts > /dev/console 2>&1
echo "init: the tests ended with $?"
dmesg | tail -n 40
sync
poweroff -f
