# Make an environment what an image ships: trimmed, tried, its imports compiled: sh finish.sh TARGET
#
# Nothing is downloaded here. What the tries leave behind lies in /tmp, which no image takes over.
set -eu
python=/usr/local/sparkhu/bin/python
found="$("$python" -c 'from sparkhu.lineage import code_fingerprint; print(code_fingerprint())')"
if [ "$found" != "$CODE" ]; then
    echo "the library to be shipped is $found, and not $CODE as the build argument CODE says" >&2
    exit 1
fi
/build/tools/bin/python /build/images/trim.py /usr/local/sparkhu/lib/python3.*/site-packages
rm -rf /usr/local/sparkhu/share /usr/local/sparkhu/include /usr/local/sparkhu/bin/pip*
unset PYTHONDONTWRITEBYTECODE
export SPARKHU_HOME=/tmp/home HOME=/tmp
source=/build/images/observations.csv
run="$python /build/images/exercise.py"
late=/tmp/late
: >"$late"
exec 3>&2 >/tmp/finish.log 2>&1
trap '[ "$?" = 0 ] || tail -n 60 /tmp/finish.log >&3' EXIT
case "$1" in
training)
    forecast="/build/compiled/forecast.yaml source=$source horizon=6 input_size=24"
    $run /tmp/forecast $forecast model_name=tried 'tuning={"trials":0}'
    $run /tmp/predict /build/compiled/predict.yaml "source=$source" model_name=tried
    # Of NumPy, SciPy and others tuning imports what no step does.
    touch /tmp/untuned
    $run /tmp/tuned $forecast --until=tune
    "$python" -c 'import cmaes, kubernetes.client, kubernetes.config, re2' # other algorithms, and Katib
    "$python" -c 'import lightgbm, statsforecast, torch'
    "$python" -c 'import importlib.util as u; u.find_spec("horovod") and __import__("horovod.torch")'
    find /usr/local/sparkhu -name '*.pyc' -newer /tmp/untuned >"$late"
    ;;
steps-spark)
    SPARKHU_HOME=/usr/local/sparkhu "$python" -c 'from sparkhu.engines.spark.java import java_variables; java_variables()'
    ln -s "$(find /usr/local/sparkhu/java -mindepth 1 -maxdepth 1)" /usr/local/sparkhu/java/home
    export JAVA_HOME=/usr/local/sparkhu/java/home SPARKHU_ENGINE=spark "SPARKHU_SPARK_MASTER=local[1]" SPARK_LOCAL_IP=127.0.0.1
    $run /tmp/spark /build/compiled/forecast.yaml --until=drop-duplicates "source=$source"
    ;;
services)
    for command in '--help' 'compile --out /tmp/compiled' 'run --list-parameters'; do
        /usr/local/sparkhu/bin/sparkhu $command
    done
    ;;
retention)
    "$python" /build/images/exercise_retention.py /tmp/retention
    ;;
esac
/build/tools/bin/python /build/images/layers.py /layers /build/steps.files "$late"
