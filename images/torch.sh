# Install torch for processors alone, and Horovod where there is a wheel of it: sh torch.sh ENVIRONMENT
#
# images/build.sh puts the wheels that it finds into images/wheels. Without one of torch, uv knows where there are some.
set -eu
if [ -s /run/secrets/pip ]; then export PIP_CONFIG_FILE=/run/secrets/pip; fi
if [ -s /run/secrets/ca ]; then export PIP_CERT=/run/secrets/ca SSL_CERT_FILE=/run/secrets/ca; fi
wheels=/build/given/wheels
install() {
    "$1/bin/python" -m pip install --quiet --no-compile --no-deps --no-index --report "/build/reports/$2.json" "$3"
}
if found="$(ls "$wheels"/torch-"$TORCH"*.whl 2>/dev/null)"; then
    install "$1" torch "$found"
else
    /build/tools/bin/uv pip install --quiet --python "$1/bin/python" --no-deps --torch-backend=cpu "torch==$TORCH"
fi
for wheel in "$wheels"/horovod-*.whl; do
    if [ -e "$wheel" ]; then install "$1" horovod "$wheel"; fi
done
