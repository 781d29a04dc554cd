"""Secrets in a cluster's settings: refused in the clear, taken from Kubernetes, and what looks like one is let be."""

import json
from pathlib import Path

import pytest

from sparkhu.errors import InputError
from sparkhu_pipelines.cluster.settings import cluster_settings
from tests.pipelines.cluster.compiled import Compiled

SPARK = {"kind": "spark", "master": "sc://spark:15002"}


@pytest.mark.parametrize(
    ("engine", "message"),
    [
        ({**SPARK, "master": "sc://spark:15002/;token=pea"}, "'engine.master' holds a password"),
        ({**SPARK, "conf": {"spark.hadoop.fs.s3a.secret.key": "pea"}}, "'engine.conf.spark.hadoop.fs.s3a.secret.key'"),
        ({**SPARK, "conf": {"spark.hadoop.fs.azure.account.key.shop": "pea"}}, "'engine.conf.spark.hadoop.fs.azure"),
        ({**SPARK, "conf": {"spark.ssl.keyPassword": "pea"}}, "'engine.conf.spark.ssl.keyPassword'"),
        ({**SPARK, "conf": {"spark.driver.extraJavaOptions": "-Da=b -Dpassword=pea"}}, "'engine.conf.spark.driver"),
        ({**SPARK, "conf": {"spark.jars.ivySettings.path": "http://ann:pea@repo/ivy"}}, "'engine.conf.spark.jars"),
        ({"kind": "local", "conf": {"spark.authenticate.secret": "pea"}}, "'engine.conf.spark.authenticate.secret'"),
        ({"kind": "spark", "conf": {"spark.authenticate.secret": "pea"}}, "kind: spark and a master belong together"),
    ],
)
def test_a_secret_of_spark_is_refused_and_not_repeated(engine: dict, message: str) -> None:
    with pytest.raises(InputError) as refused:
        cluster_settings({"engine": engine})
    assert message in str(refused.value)
    assert "as SPARKHU_SPARK_" in str(refused.value)
    assert "pea" not in str(refused.value)


def test_settings_of_spark_that_only_say_where_a_secret_is_are_taken() -> None:
    conf = {
        "spark.hadoop.fs.s3a.aws.credentials.provider": "com.amazonaws.auth.WebIdentityTokenCredentialsProvider",
        "spark.hadoop.hadoop.security.credential.provider.path": "jceks://file/keys.jceks",
        "spark.kubernetes.driver.secretKeyRef.AWS_SECRET_ACCESS_KEY": "object-store:secretkey",
        "spark.kubernetes.executor.secrets.object-store": "/etc/keys",
        "spark.security.credentials.hive.enabled": "false",
        "spark.kubernetes.authenticate.oauthTokenFile": "/var/run/token",
        "spark.executor.memory": "4g",
        "spark.authenticate.secret": "",
    }
    assert cluster_settings({"engine": {**SPARK, "conf": conf}}).engine.conf == conf


def test_spark_is_told_of_by_a_secret(tmp_path: Path) -> None:
    secrets = {"spark": {"address": "SPARKHU_SPARK_MASTER", "settings": "SPARKHU_SPARK_CONF"}}
    compiled = Compiled(tmp_path, "predict", cluster_settings({"engine": {"kind": "spark"}, "secrets": secrets}))
    given = compiled.variables("validate")
    assert (given["SPARKHU_ENGINE"], set(given) & set(secrets["spark"].values())) == ("spark", set())
    from_secret = compiled.platform["exec-validate"]["secretAsEnv"][0]["keyToEnv"]
    assert {each["envVar"]: each["secretKey"] for each in from_secret} == {
        "SPARKHU_SPARK_MASTER": "address",
        "SPARKHU_SPARK_CONF": "settings",
    }


def test_settings_of_spark_in_the_clear_stand_beside_an_address_from_a_secret(tmp_path: Path) -> None:
    engine = {"kind": "spark", "conf": {"spark.executor.memory": "4g"}}
    content = {"engine": engine, "secrets": {"spark": {"address": "SPARKHU_SPARK_MASTER"}}}
    given = Compiled(tmp_path, "predict", cluster_settings(content)).variables("validate")
    assert json.loads(given["SPARKHU_SPARK_CONF"]) == engine["conf"]
    assert "SPARKHU_SPARK_MASTER" not in given


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            {"engine": SPARK, "secrets": {"s": {"k": "SPARKHU_SPARK_MASTER"}}},
            "variable SPARKHU_SPARK_MASTER is set twice, by engine.master and secrets",
        ),
        (
            {"engine": {**SPARK, "conf": {"a": "b"}}, "secrets": {"s": {"k": "SPARKHU_SPARK_CONF"}}},
            "variable SPARKHU_SPARK_CONF is set twice, by engine.conf and secrets",
        ),
        ({"secrets": {"s": {"k": "SPARKHU_SPARK_MASTER"}}}, "kind: spark and a master belong together"),
        ({"secrets": {"s": {"k": "SPARKHU_SPARK_CONF"}}}, "SPARKHU_SPARK_CONF, which is for kind: spark"),
        ({"secrets": {"s": {"k": "SPARKHU_ENGINE"}}}, "'secrets.s.SPARKHU_ENGINE' is not yours to set"),
        ({"environment": {"SPARKHU_SPARK_CONF": "{}"}}, "Set engine.conf, or give the variable under secrets"),
    ],
)
def test_spark_is_told_of_once(content: dict, message: str) -> None:
    with pytest.raises(InputError) as refused:
        cluster_settings(content)
    assert message in str(refused.value)


@pytest.mark.parametrize(
    "name",
    [
        *("PASS", "DB_PASS", "db_passphrase", "SSH_PRIVATE_KEY", "SHOP_CREDENTIAL", "SHOP_CREDENTIALS", "KFP_COOKIE"),
        *("PGPASSWORD", "DB_PASSWORD_2", "HF_TOKEN", "AWS_SECRET_ACCESS_KEY", "API_KEY", "DB_PWD"),
    ],
)
def test_a_variable_that_is_a_secret_by_its_name_is_refused(name: str) -> None:
    with pytest.raises(InputError, match=f"'environment.{name}' is a secret by its name") as refused:
        cluster_settings({"environment": {name: "pea"}})
    assert "pea" not in str(refused.value)


def test_variables_that_say_where_a_secret_is_are_taken() -> None:
    content = {
        "AWS_SHARED_CREDENTIALS_FILE": "/etc/aws/credentials",
        "AWS_WEB_IDENTITY_TOKEN_FILE": "/var/run/token",
        "GOOGLE_APPLICATION_CREDENTIALS": "/etc/keys/google.json",
        "PRIVATE_KEY_PATH": "/etc/keys/id",
        "TOKEN_URI": "https://login.example.org/token",
        "COMPASS": "north",
        "BYPASS": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }
    assert cluster_settings({"environment": content}).environment == content


def test_the_message_of_a_password_in_a_parameter_of_a_url_is_whole() -> None:
    with pytest.raises(InputError) as refused:
        cluster_settings({"pipeline_root": "s3://bucket/runs?password=pea"})
    assert str(refused.value).startswith(
        "cluster setting 'pipeline_root' cannot be 's3://bucket/runs?password=***': it holds a password, which"
    )
