#!/usr/bin/env bash
# Build images: images/build.sh TARGET... (steps, training, services, steps-spark, retention); `make images` calls it.
#
# BASE      the image to build upon; unset: the Dockerfile's own
# PYTHON    the interpreter that has Sparkhu, which says what the labels name
# PIP_CONF  a pip.conf for a package index of your own; it is in no layer
# CA        certificates for it, likewise; unset: PIP_CERT's, where that is set
# DOCKER    the client; unset: docker
# NETWORK   the network of the build; unset: host
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
docker="${DOCKER:-docker}"

fail() { echo "$1" >&2; exit 2; }

command -v "$docker" >/dev/null || fail "'$docker' is not installed. On Debian: apt-get install docker.io; or set DOCKER"
"$docker" version >/dev/null 2>&1 ||
    fail "No docker daemon answers at ${DOCKER_HOST:-its usual place}. Start it, join its group, or set DOCKER_HOST"
[ "$#" -gt 0 ] || fail 'Which images? images/build.sh steps training services steps-spark retention'

code="$("${PYTHON:-python3}" -c 'from sparkhu.lineage import code_fingerprint; print(code_fingerprint())')"
version="${code%%+*}"
options=(--network "${NETWORK:-host}" --build-arg "CODE=$code" --build-arg "VERSION=$version")
[ -z "${BASE:-}" ] || options+=(--build-arg "BASE=$BASE")
[ -z "${PIP_CONF:-}" ] || options+=(--secret "id=pip,src=$PIP_CONF")
certificates="${CA:-${PIP_CERT:-}}"
[ -z "$certificates" ] || options+=(--secret "id=ca,src=$certificates")

# torch, in the version of the Makefile, and Horovod, which is built against that of the environment; where the wheels do
# not fit the base, images/torch.sh says so and goes on without.
torch="$(sed -n 's/^TORCH := //p' Makefile)"
options+=(--build-arg "TORCH=$torch")
give_wheels() {
    local wheel
    rm -rf images/wheels && mkdir images/wheels
    "$1" -m pip download --quiet --disable-pip-version-check --no-deps --no-index --dest images/wheels "torch==$torch" \
        2>/dev/null || echo "torch $torch is fetched by the build"
    if wheel="$(scripts/build_horovod.sh "$1")"; then cp "$wheel" images/wheels/; else
        echo 'The image that trains is built without Horovod' >&2
    fi
}
# The files of all steps are those of the image that trains, or are compared with them.
if [[ " $* " =~ \ (steps|training|steps-spark)\  ]]; then give_wheels "${PYTHON:-python3}"; fi

for target in "$@"; do
    DOCKER_BUILDKIT=1 "$docker" build "${options[@]}" --progress "${PROGRESS:-auto}" \
        --file images/Dockerfile --target "$target" --tag "sparkhu/$target:$version" .
    size="$("$docker" image inspect --format '{{.Size}}' "sparkhu/$target:$version")"
    echo "sparkhu/$target:$version: $((size / 1000000)) MB"
done
