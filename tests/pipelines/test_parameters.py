"""Tests of run parameters: what stands where, and what is refused before anything starts."""

from pathlib import Path
from typing import Any

import pytest

from sparkhu.errors import InputError
from sparkhu_pipelines.forecast import forecast_pipeline
from sparkhu_pipelines.parameters import RunParameters, load_parameters, run_parameters


def test_later_layers_win_over_earlier_ones_and_over_the_preset() -> None:
    found = run_parameters({"source": "a.csv", "horizon": 3}, {"horizon": 5, "zone": None}, preset="ett")

    assert (found.horizon, found.zone, found.split, found.outlier_action) == (5, "UTC", "8640/2880/2880", "flag_only")


def test_the_parameters_and_their_defaults_are_those_of_the_pipeline() -> None:
    inputs = forecast_pipeline.component_spec.inputs
    declared = {name: item.default for name, item in inputs.items() if name != "source"}
    fields = RunParameters(source="a.csv").model_dump(mode="json", exclude_none=True, exclude={"source"})

    assert declared == fields


def test_a_layer_changes_of_a_section_only_the_settings_that_it_gives() -> None:
    file = {"decomposition": {"robust": False}, "handling": {"alpha": 0.5, "choice": "clip"}}
    found = run_parameters({"source": "a.csv"}, file, {"handling.alpha": 0.2}, preset="ett")

    assert (found.decomposition.method, found.decomposition.robust) == ("none", False)
    assert (found.handling.alpha, found.handling.choice) == (0.2, "clip")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"horizn": 3}, "parameter 'horizn' is unknown; did you mean horizon?"),
        ({"qqqq": 3}, "parameter 'qqqq' is unknown; see sparkhu run --list-parameters."),
        ({"handling": {"alpa": 1}}, "parameter 'handling.alpa' is unknown; did you mean alpha?"),
        ({"anomalies.width": 0}, "parameter 'anomalies.width' cannot be 0: input should be greater than 0."),
        ({"statistics": {"sample_start": "soon"}}, "statistics.sample_start and sample_end give no interval: "),
        ({"resampling": {"to": "3x"}}, "resampling.to names no period to resample to: "),
        ({"decomposition": {"seasons": [24, 24]}}, "decomposition.seasons must differ from each other, got 24, 24"),
        ({"anomalies": {"low": 3}}, "anomalies.low and high need limits 'given', got limits 'sigma'"),
        ({"handling": {"choice": "magic"}}, "handling.choice must be empty (by score) or one of leave, "),
        ({"filling": {"variants": ["mean", "mean"]}}, "filling.variants must be some of mean, "),
        (
            {"training.models": "trees,lstn"},
            "training.models cannot hold 'lstn', which is no model; did you mean",
        ),
        ({"training.models": " , "}, "parameter 'training.models' cannot be ' , ': must be names with commas between"),
        ({"training.models": ["ets"]}, "training.models cannot hold 'ets': it is fitted anew for every window"),
        ({"training.models": "trees,trees"}, "training.models names 'trees' twice."),
        ({"tuning.models": "linear,trees"}, "tuning.models cannot hold 'trees', which this run does not train"),
        ({"training.workers": 2}, "training.workers is 2, but nothing connects them: distribution is single."),
        ({"training.engine": "kubernetes"}, "training.engine is kubernetes, and distribution single. Give the"),
        (
            {"training": {"engine": "kubernetes", "distribution": "torch", "storage": "/data"}},
            "training.storage must be a URI that pods of the cluster can read, such as s3://bucket/training",
        ),
        (
            {"training": {"engine": "kubernetes", "distribution": "horovod", "storage": "s3://plant/training"}},
            "training.image is empty, and the pods of Horovod reach each other by SSH, for which",
        ),
        ({"training.workers": 0}, "parameter 'training.workers' cannot be 0: "),
        ({"training.distribution": "mpi"}, "parameter 'training.distribution' cannot be 'mpi': "),
        ({"guard": 3}, "parameter 'guard' cannot be 3: input should be a valid dictionary"),
        ({"source.a": 3}, "parameter 'source' cannot be {'a': 3}: input should be a valid string."),
        ({"horizon": -1}, "parameter 'horizon' cannot be -1: "),
        ({"stride": 0}, "parameter 'stride' cannot be 0: "),
        ({"outlier_width": -1.5}, "parameter 'outlier_width' cannot be -1.5: "),
        ({"fill": "magic"}, "parameter 'fill' cannot be 'magic': "),
        ({"split": "0.9/0.2/0.1"}, "split has shares that add up to 1.2"),
        ({"zone": "Mars/Crater"}, "zone must be an IANA time zone"),
        ({"period": "3x"}, "period must be a number and a unit"),
        ({"start": "2020-13-01"}, "start must be an ISO time"),
        ({"start": "2021-01-01", "end": "2020-01-01"}, "end must lie after start"),
        ({"preserve_last": True}, "preserve_last keeps the last period before `end` free, but there is no end."),
        ({"split": "0.8/0/0.2"}, "split needs a validation part, on which models are chosen, got '0.8/0/0.2'; give "),
        ({"split": "800/200/0"}, "split needs a test part, on which models are measured, got '800/200/0'; give "),
        ({"outlier_width": float("inf")}, "parameter 'outlier_width' cannot be inf: input should be a finite number"),
        ({"model_name": "a/b"}, "model name must be a word"),
        ({"promotion.metric": "owa"}, "parameter 'promotion.metric' cannot be 'owa': input should be 'mae', 'mse', "),
        ({"promotion.min_improvement": 1}, "parameter 'promotion.min_improvement' cannot be 1: input should be less"),
        ({"promotion.min_gain": 0.1}, "parameter 'promotion.min_gain' is unknown; "),
    ],
)
def test_what_cannot_be_used_is_refused_by_its_name(given: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        run_parameters({"source": "a.csv", **given})

    assert str(caught.value).startswith(message)


def test_the_last_period_can_be_kept_free_before_an_end() -> None:
    assert run_parameters({"source": "a.csv", "preserve_last": True, "end": "2024-06-01"}).preserve_last


def test_a_source_or_a_lake_must_be_given_and_not_both() -> None:
    with pytest.raises(InputError, match="got neither"):
        run_parameters({"horizon": 3})
    with pytest.raises(InputError, match=r"got both, 'a\.csv' and 'lake'"):
        run_parameters({"source": "a.csv", "lake": "lake"})
    assert run_parameters({"lake": "lake", "lookback": "60d"}).lookback == "60d"


def test_a_lookback_is_a_length_of_time() -> None:
    with pytest.raises(InputError, match="lookback must be a length of time"):
        run_parameters({"lake": "lake", "lookback": "a while"})


def test_an_unknown_preset_is_refused_with_those_there_are() -> None:
    with pytest.raises(InputError, match="preset 'ET' is unknown; there is ett"):
        run_parameters({"source": "a.csv"}, preset="ET")


def test_parameters_come_from_yaml(tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text("horizon: 24\nzone: Europe/Berlin\n")

    assert load_parameters(tmp_path / "run.yaml") == {"horizon": 24, "zone": "Europe/Berlin"}


def test_dates_and_times_of_a_file_stay_the_text_that_parameters_take(tmp_path: Path) -> None:
    lines = (
        "source: a.csv",
        "start: 2024-01-05",
        "end: 2024-02-01T12:00:00Z",
        "statistics: {sample_start: 2024-01-10}",
    )
    (tmp_path / "run.yaml").write_text("\n".join(lines))
    found = run_parameters(load_parameters(tmp_path / "run.yaml"))

    assert (found.start, found.end, found.statistics.sample_start) == (
        "2024-01-05",
        "2024-02-01T12:00:00Z",
        "2024-01-10",
    )


@pytest.mark.parametrize(("content", "message"), [("- 1\n", "must map names to values"), ("a: [", "is no YAML")])
def test_a_file_that_holds_no_parameters_is_refused(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "run.yaml").write_text(content)

    with pytest.raises(InputError, match=message):
        load_parameters(tmp_path / "run.yaml")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.yaml' cannot be read: No such file"):
        load_parameters(tmp_path / "none.yaml")
