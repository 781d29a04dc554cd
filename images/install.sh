# Install a lock into an environment, and note what was downloaded: sh install.sh ENVIRONMENT LOCK
#
# A lock is whole, without what the excludes.txt beside it leaves out; so pip follows no dependency.
# Where pip's own index cannot be reached as it is, the secrets `pip` (a pip.conf) and `ca` (certificates) say how.
set -eu
if [ -s /run/secrets/pip ]; then export PIP_CONFIG_FILE=/run/secrets/pip; fi
if [ -s /run/secrets/ca ]; then export PIP_CERT=/run/secrets/ca; fi
# What has no wheel is built with what image-tools.txt locks.
export PIP_CONSTRAINT=/build/requirements/image-tools.txt
mkdir -p /build/reports
"$1/bin/python" -m pip install --quiet --no-compile --require-hashes --no-deps \
    --report "/build/reports/$2.json" -r "/build/requirements/$2.txt"
