#!/bin/bash
# systemd as PID 1 of namespaces of its own, over this machine's files; its network is this machine's.
#
#   namespace.sh FOLDER GROUP
#
# What stands in FOLDER/files is laid over /etc, /opt and /var, which are copies that end with it, FOLDER/units
# becomes /etc/systemd/system; /run, /tmp and the control groups are its own, below one that is called GROUP.
# FOLDER/venv and FOLDER/python are symbolic links to a virtual environment and to what its interpreter is
# installed in; they are shown at /opt/balancer and /opt/python. Needs root, unshare(1) and overlays. SIGKILL
# ends everything inside; the control group is left to the caller.
set -eu
folder=$1
group=$2

if [ "${INSIDE:-}" = "" ]; then
  # A control group of its own, so that what is inside sees no other.
  unified=/sys/fs/cgroup
  [ -d $unified/unified ] && unified=$unified/unified
  mkdir -p "$unified/$group"
  echo $$ > "$unified/$group/cgroup.procs"
  INSIDE=yes exec unshare --pid --mount --cgroup --uts --ipc --fork --mount-proc --kill-child \
    /bin/bash "$0" "$folder" "$group"
fi

mount --make-rprivate /
mkdir -p "$folder/layers"
mount -t tmpfs layers "$folder/layers"
lay() {  # TARGET LOWER: show LOWER at TARGET, with the folder's own files over it
  own="$folder/layers/$(echo "$1" | tr / _)"
  mkdir -p "$own.upper" "$own.work"
  [ -d "$folder/files$1" ] && cp -a "$folder/files$1/." "$own.upper/"
  mount -t overlay overlay -o "lowerdir=$2,upperdir=$own.upper,workdir=$own.work" "$1"
}
lay /etc /etc
lay /var /var
lay /opt /opt
mkdir -p /opt/balancer /opt/python
lay /opt/balancer "$(realpath "$folder/venv")"
mount --bind "$(realpath "$folder/python")" /opt/python
rm -rf /etc/systemd/system
mkdir -p /etc/systemd/system
cp -a "$folder/units/." /etc/systemd/system/
mount -t tmpfs -o mode=755 run /run
umount -R /sys/fs/cgroup
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t tmpfs -o mode=1777 tmp /tmp
# Credentials are mounted by the service's own set-up and must come back here.
mount --make-rshared /
exec env -i container=test PATH=/usr/sbin:/usr/bin:/sbin:/bin \
  /lib/systemd/systemd --system --unit=trial.target --log-target=journal --show-status=no
