# Make an environment what an image ships: trimmed, tried, its imports compiled: sh finish.sh TARGET
#
# Nothing is downloaded here. What the tries leave behind lies in /tmp, which no image takes over.
set -eu
python=/opt/sparkhu/bin/python
found="$("$python" -c 'from sparkhu.lineage import code_fingerprint; print(code_fingerprint())')"
if [ "$found" != "$CODE" ]; then
    echo "the library to be shipped is $found, and not $CODE as the build argument CODE says" >&2
    exit 1
fi
/build/tools/bin/python /build/images/trim.py /opt/sparkhu/lib/python3.*/site-packages
unset PYTHONDONTWRITEBYTECODE
export SPARKHU_HOME=/tmp/home HOME=/tmp
source=/build/images/observations.csv
run="$python /build/images/exercise.py"
case "$1" in
training)
    $run /tmp/forecast /build/compiled/forecast.yaml "source=$source" horizon=6 input_size=24 model_name=tried
    $run /tmp/predict /build/compiled/predict.yaml "source=$source" model_name=tried
    ;;
steps-spark)
    ;;
services)
    for command in '--help' 'compile --out /tmp/compiled' 'run --list-parameters'; do
        /opt/sparkhu/bin/sparkhu $command >/dev/null
    done
    ;;
esac >/tmp/finish.log 2>&1 || { tail -n 60 /tmp/finish.log >&2; exit 1; }
/build/tools/bin/python /build/images/layers.py /layers /build/steps.files
