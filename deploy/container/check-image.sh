#!/bin/sh
# Run the image as it is meant to be run: as its own account, on a read-only root, without a network.
#
#   deploy/container/check-image.sh
#
# IMAGE and BUILDER as for build-image.sh. With buildah it needs root: the image's files are mounted, and
# namespaces of the kernel take the place of an engine.
set -eu
cd "$(dirname "$0")/../.."

version=$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
image=${IMAGE:-vsphere-balancer:$version}
builder=${BUILDER:-}
[ -n "$builder" ] || { docker info >/dev/null 2>&1 && builder=docker || builder=buildah; }

# Runs a command in the image; what is below tests/data is seen at /mnt.
case $builder in
  docker)
    in_image() {
      docker run --rm --read-only --tmpfs /tmp:size=64m --network none --cap-drop ALL \
        --security-opt no-new-privileges --volume "$PWD/tests/data:/mnt:ro" "$image" "$@"
    }
    ;;
  buildah)
    container=$(buildah from "$image")
    root=$(buildah mount "$container")
    trap 'buildah umount "$container" >/dev/null; buildah rm "$container" >/dev/null' EXIT
    in_image() {
      # shellcheck disable=SC2016 # the inner shell's words
      unshare --mount --pid --fork --ipc --net sh -euc '
        root=$1; data=$2; shift 2
        mount --bind "$root" /media && mount -o remount,ro,bind /media
        mount -t proc proc /media/proc
        mount -t tmpfs -o mode=1777,size=64m tmpfs /media/tmp
        mount -t tmpfs dev /media/dev && mknod -m 666 /media/dev/null c 1 3 && mknod -m 666 /media/dev/urandom c 1 9
        mount --bind "$data" /media/mnt && mount -o remount,ro,bind /media/mnt
        exec setpriv --no-new-privs chroot --userspec=65532:65532 /media /opt/balancer/bin/balancer "$@"
      ' sh "$root" "$PWD/tests/data" "$@"
    }
    ;;
  *)
    echo "check-image.sh: BUILDER is '$builder'; it can be docker or buildah." >&2
    exit 1
    ;;
esac

in_image --version
code=0
in_image plan --snapshot /mnt/small.snapshot.json || code=$?
# One VM of that cluster cannot leave a host that is to be empty: 3.
[ "$code" -eq 3 ] || { echo "check-image.sh: the dry run ended with $code, not with 3" >&2; exit 1; }
echo "$image plans on a read-only root, with $builder"
