#!/usr/bin/env bash
# Make a Debian base without a registry: images/base.sh [TAG]; `make image-base` calls it. It needs root.
#
# SUITE     the release; unset: bookworm
# MIRROR    Debian's mirror; unset: debootstrap's own
# DOCKER    the client; unset: docker
set -euo pipefail
tag="${1:-sparkhu/base:bookworm}" suite="${SUITE:-bookworm}" docker="${DOCKER:-docker}"

fail() { echo "$1" >&2; exit 2; }

[ "$(id -u)" = 0 ] || fail "A base is made by root: sudo make image-base; or name another one with BASE=…"
command -v debootstrap >/dev/null || fail "debootstrap is not installed. On Debian: apt-get install debootstrap"
command -v "$docker" >/dev/null || fail "'$docker' is not installed. On Debian: apt-get install docker.io; or set DOCKER"
"$docker" version >/dev/null 2>&1 ||
    fail "No docker daemon answers at ${DOCKER_HOST:-its usual place}. Start it, join its group, or set DOCKER_HOST"

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
root="$folder/root"
debootstrap --variant=minbase --include=python3,python3-venv,ca-certificates "$suite" "$root" ${MIRROR:+"$MIRROR"} \
    >"$folder/log" 2>&1 || { tail -n 20 "$folder/log" >&2; fail "debootstrap failed"; }
rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/var/log/* "$root"/usr/share/{man,info,locale,lintian}
find "$root/usr/share/doc" -type f ! -name copyright -delete
find "$root/usr/share/doc" -xtype l -delete
rm -rf "$root"/usr/lib/*/gconv # iconv's tables; Python has its own
tar --create --numeric-owner --directory "$root" . | "$docker" import - "$tag" >/dev/null
echo "$tag: $(($("$docker" image inspect --format '{{.Size}}' "$tag") / 1000000)) MB"
