#!/usr/bin/env bash
# Builds the wheel of Horovod against the torch of an environment, once, and prints its path.
#
#   scripts/build_horovod.sh [PYTHON]        PYTHON defaults to .venv/bin/python
#
# The wheel is kept in ${XDG_CACHE_HOME:-~/.cache}/sparkhu/wheels/TORCH/ and found there the next time. It needs a C++
# compiler and cmake, and 5 to 10 minutes; BUILD_JOBS compilers run at once (default: all cores).
set -euo pipefail

VERSION=0.28.1
PYTHON=$(command -v "${1:-.venv/bin/python}") || { echo "There is no Python '${1:-.venv/bin/python}'" >&2; exit 2; }
PYTHON=$(realpath --no-symlinks "$PYTHON")  # it is called from another folder below

for tool in cmake c++; do
    command -v "$tool" >/dev/null || { echo "$tool is missing. On Debian and Ubuntu: apt-get install cmake g++" >&2; exit 2; }
done
"$PYTHON" -c 'import os, sysconfig as s; raise SystemExit(not os.path.isfile(os.path.join(s.get_path("include"), "Python.h")))' \
    || { echo "$PYTHON has no headers. On Debian and Ubuntu: apt-get install python3-dev" >&2; exit 2; }
torch=$("$PYTHON" -c 'import torch; print(torch.__version__)' 2>/dev/null) \
    || { echo "$PYTHON has no torch; Horovod is built against it. Install torch first." >&2; exit 2; }
tag=$("$PYTHON" -c 'import sys; print(f"cp{sys.version_info[0]}{sys.version_info[1]}")')
kept="${XDG_CACHE_HOME:-$HOME/.cache}/sparkhu/wheels/torch-$torch"

mkdir -p "$kept"
find_wheel() { find "$kept" -name "horovod-$VERSION-$tag-*.whl" -print -quit; }
exec 9>"$kept/.lock"
flock 9
wheel=$(find_wheel)
if [ -n "$wheel" ]; then echo "$wheel"; exit 0; fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
log="$kept/build-$tag.log"
install=("$PYTHON" -m pip --quiet --disable-pip-version-check)
export PYTHONPATH="$work/tools"

echo "Building Horovod $VERSION against torch $torch (once; log: $log)" >&2
# Its setup.py wants the pkg_resources that setuptools 80 took out.
"${install[@]}" install --target "$work/tools" 'setuptools<80' wheel packaging pyyaml >"$log" 2>&1
"${install[@]}" download --no-deps --no-binary horovod --no-build-isolation --dest "$work" "horovod==$VERSION" >>"$log" 2>&1
tar -xzf "$work/horovod-$VERSION.tar.gz" -C "$work"
cd "$work/horovod-$VERSION"
# torch's headers are C++17 since 2.1; Horovod's files still say 14.
sed -i -E 's/(CMAKE_CXX_STANDARD) 1[14]/\1 17/' CMakeLists.txt horovod/torch/CMakeLists.txt
export HOROVOD_WITH_PYTORCH=1 HOROVOD_WITH_GLOO=1 HOROVOD_WITHOUT_MPI=1 HOROVOD_WITHOUT_TENSORFLOW=1 HOROVOD_WITHOUT_MXNET=1
export MAKEFLAGS="-j${BUILD_JOBS:-$(nproc)}" CMAKE_BUILD_PARALLEL_LEVEL="${BUILD_JOBS:-$(nproc)}"
"$PYTHON" setup.py bdist_wheel --dist-dir "$work/dist" >>"$log" 2>&1 \
    || { tail -20 "$log" >&2; echo "Horovod could not be built; the whole log: $log" >&2; exit 1; }
mv "$work"/dist/horovod-*.whl "$kept/"
find_wheel
