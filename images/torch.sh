# Install torch for processors alone, and Horovod where there is a wheel of it: sh torch.sh ENVIRONMENT
#
# images/build.sh puts the wheels that it finds into images/wheels. Without one of torch, uv knows where there are some.
set -eu
if [ -s /run/secrets/pip ]; then export PIP_CONFIG_FILE=/run/secrets/pip; fi
if [ -s /run/secrets/ca ]; then export PIP_CERT=/run/secrets/ca SSL_CERT_FILE=/run/secrets/ca; fi
environment="$1"
# The checksum goes into pip's report, and from there into the bill of materials.
install() {
    "$environment/bin/python" -m pip install --quiet --no-compile --no-deps --no-index \
        --report "/build/reports/$1.json" "$1 @ file://$2#sha256=$(sha256sum "$2" | cut -d' ' -f1)"
}
given() {
    for wheel in "/build/given/wheels/$1"-*.whl; do
        if [ -e "$wheel" ] && install "$1" "$wheel"; then return 0; fi
    done
    rm -f "/build/reports/$1.json"
    return 1
}
given torch || /build/tools/bin/uv pip install --quiet --python "$environment/bin/python" --no-deps --torch-backend=cpu \
    "torch==$TORCH"
# It is linked with the C library and the torch that it was built on.
if given horovod && ! "$environment/bin/python" -c 'import horovod.torch'; then
    "$environment/bin/python" -m pip uninstall --quiet --yes horovod
    rm -f /build/reports/horovod.json
fi
"$environment/bin/python" -c 'import horovod.torch' 2>/dev/null || echo 'This image has no Horovod' >&2
