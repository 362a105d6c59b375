#!/bin/sh
# The first process of a user-mode Linux host. Kernel command line: lab.name= lab.address= lab.folder= lab.agent=
#
# The root file system is the machine's own, read-only, under an overlay in memory: every program is there, nothing is
# written through. The lab's folder is mounted at its own path and shared with the machine.
set -e
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc

setting() {
    for word in $(cat /proc/cmdline); do
        case $word in "$1"=*) echo "${word#*=}" ;; esac
    done
}
name=$(setting lab.name)
address=$(setting lab.address)
folder=$(setting lab.folder)
agent=$(setting lab.agent)
release=$(uname -r)

mount -t tmpfs -o mode=755 tmpfs /mnt
mkdir /mnt/upper /mnt/work /mnt/root
insmod "/usr/lib/uml/modules/$release/kernel/fs/overlayfs/overlay.ko"
mount -t overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work root /mnt/root
cd /mnt/root
mkdir -p old
pivot_root . old
exec </dev/null

mount -t proc proc /proc
umount -l /old/proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
for place in /dev/shm /run /tmp; do mount -t tmpfs -o mode=1777 tmpfs $place; done
chmod 755 /run
mkdir -p "/lib/modules/$release" "$folder" /run/lock/iscsi /run/lvm
mount --bind "/usr/lib/uml/modules/$release" "/lib/modules/$release"
mount -t hostfs -o "$folder" shared "$folder"
# The agent lies in a checkout that may lie under /tmp, which is hidden by now.
cp "/old$agent" /run/lab-agent.py
umount -l /old

hostname "$name"
mount --bind "$folder/hosts" /etc/hosts
echo "InitiatorName=iqn.2012-01.lab.virgate:$name" >/etc/iscsi/initiatorname.iscsi
rm -rf /etc/lvm/archive/* /etc/lvm/backup/* /etc/lvm/devices/* /etc/iscsi/nodes/* /etc/iscsi/send_targets/*
ip link set lo up
ip link set vec0 up
ip address add "$address/24" dev vec0
/lib/systemd/systemd-udevd --daemon

exec /usr/bin/python3 -S -E /run/lab-agent.py /dev/ttyS0 "$folder/$name/commands"
