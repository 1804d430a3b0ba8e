#!/bin/sh
# Build the image with docker, or with buildah where there is no docker engine.
#
#   deploy/container/build-image.sh [more arguments for the builder]
#
# Settings, from the environment:
#   IMAGE      name and tag of the image          (default: vsphere-balancer:VERSION, from pyproject.toml)
#   BASE       image that both stages start from  (default: as the Dockerfile says)
#   BUILDER    docker or buildah                  (default: docker where its engine answers, else buildah)
#   ISOLATION  buildah's --isolation              (default: chroot, which needs no user namespaces)
#   PIP_CONF   a pip.conf for the build alone     (default: none; for a company's own package index)
set -eu
cd "$(dirname "$0")/../.."

version=$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
revision=$(git rev-parse HEAD 2>/dev/null || echo unknown)
seconds=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}
created=$(date -u -d "@$seconds" +%Y-%m-%dT%H:%M:%SZ)
image=${IMAGE:-vsphere-balancer:$version}

builder=${BUILDER:-}
if [ -z "$builder" ]; then
  if docker info >/dev/null 2>&1; then
    builder=docker
  elif command -v buildah >/dev/null; then
    builder=buildah
  else
    echo "build-image.sh: neither a docker engine that answers nor buildah is here. Install one of the two" \
      "(Debian: apt-get install buildah)." >&2
    exit 1
  fi
fi

set -- --file deploy/container/Dockerfile --tag "$image" \
  --build-arg VERSION="$version" --build-arg REVISION="$revision" --build-arg CREATED="$created" "$@"
[ -z "${BASE:-}" ] || set -- --build-arg BASE="$BASE" "$@"
[ -z "${PIP_CONF:-}" ] || set -- --secret "id=pip.conf,src=$PIP_CONF" "$@"

case $builder in
  docker) DOCKER_BUILDKIT=1 docker build "$@" . ;;
  buildah) buildah build --isolation "${ISOLATION:-chroot}" --format docker "$@" . ;;
  *)
    echo "build-image.sh: BUILDER is '$builder'; it can be docker or buildah." >&2
    exit 1
    ;;
esac
echo "built $image with $builder"
