#!/usr/bin/env bash
# Take the bills of materials out of the images that are built: images/sbom.sh TARGET...
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
docker="${DOCKER:-docker}"
"$docker" version >/dev/null 2>&1 || { echo 'No docker daemon answers. Start it, or set DOCKER_HOST' >&2; exit 2; }
version="$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)"
mkdir -p build/sbom
for target in "$@"; do
    image="sparkhu/$target:$version"
    if ! "$docker" image inspect "$image" >/dev/null 2>&1; then
        echo "$image is not built; make image-$target builds it" >&2
        exit 2
    fi
    "$docker" run --rm --network none --entrypoint cat "$image" "/usr/share/sbom/$target.cdx.json" \
        >"build/sbom/$target.cdx.json"
    echo "build/sbom/$target.cdx.json"
done
