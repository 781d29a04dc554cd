"""Tests of the forecast pipeline over groups of shards: its graph, and real runs of it beside one without groups."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import polars as pl
import pytest
import yaml
from kfp.dsl import Dataset
from kfp.local.executor_input_utils import construct_executor_input, executor_input_to_dict

from sparkhu.errors import InputError
from sparkhu.lineage import GROUPING
from sparkhu_components import COMPONENTS
from sparkhu_pipelines.compiling import compile_pipelines
from sparkhu_pipelines.fan_out import forecast_pipeline_over
from sparkhu_pipelines.forecast import forecast_pipeline
from tests.pipelines.conftest import HOURS, Finished, run, write_observations
from tests.result_files import contents

GROUPS = 3
BEFORE = {"ingest", "sync_metadata"}
BEHIND = {
    *("choose_cleaning", "fit_scalers", "index_windows", "store_sequences", "tune", "train_linear"),
    *("train_seasonal_naive", "evaluate", "promote", "make_forecasts", "publish", "publish_interval"),
    *("store_features", "render_report", "train_models"),
}
BODY = 31
"""Tasks that each group has: those of preparation, one that takes the group, and one that packs what was made."""


def graph(folder: Path, groups: int) -> dict[str, Any]:
    (forecast, _) = compile_pipelines(folder, groups)
    return next(yaml.safe_load_all(forecast.read_text()))


def loop_of(spec: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Give the task of the loop, and the tasks in it."""
    (name,) = [name for name in spec["root"]["dag"]["tasks"] if name.startswith("for-loop")]
    return spec["root"]["dag"]["tasks"][name], spec["components"][f"comp-{name}"]["dag"]["tasks"]


def components_of(tasks: dict[str, Any]) -> Counter[str]:
    names = (task["componentRef"]["name"].removeprefix("comp-").replace("-", "_") for task in tasks.values())
    return Counter(name.removesuffix("_2") for name in names)


def producers(tasks: dict[str, Any]) -> set[tuple[str, str, str, str]]:
    """List what is handed from task to task: consumer and its input, producer and its output."""
    return {
        (name, given, source["producerTask"], source["outputArtifactKey"])
        for name, task in tasks.items()
        for given, value in task.get("inputs", {}).get("artifacts", {}).items()
        if (source := value.get("taskOutputArtifact"))
    }


@pytest.mark.parametrize("groups", [2, 100])
def test_the_graph_holds_one_loop_over_the_groups_whatever_their_number(tmp_path: Path, groups: int) -> None:
    spec = graph(tmp_path, groups)
    loop, body = loop_of(spec)

    assert json.loads(loop["parameterIterator"]["items"]["raw"]) == list(range(1, groups + 1))
    assert loop["taskInfo"]["name"] == "groups-of-shards"
    assert len(body) == BODY
    assert body["take-group"]["inputs"]["parameters"]["groups"]["runtimeValue"]["constant"] == groups
    assert len(spec["root"]["dag"]["tasks"]) == len(BEFORE | BEHIND) + len(["the loop", "gather_groups"])


def test_one_group_is_the_pipeline_without_a_loop(tmp_path: Path) -> None:
    assert forecast_pipeline_over(1) is forecast_pipeline
    (alone, _), (plain, _) = compile_pipelines(tmp_path / "one", 1), compile_pipelines(tmp_path / "none")
    assert alone.read_text() == plain.read_text()


@pytest.mark.parametrize("groups", [0, 101, -1])
def test_other_numbers_of_groups_are_refused(tmp_path: Path, groups: int) -> None:
    with pytest.raises(InputError, match=rf"^fan-out must be from 1 to 100 groups of shards, got {groups}\.$"):
        compile_pipelines(tmp_path, groups)
    assert list(tmp_path.iterdir()) == []


def test_the_loop_holds_the_tasks_of_preparation_wired_as_without_it(tmp_path: Path) -> None:
    plain, spec = graph(tmp_path / "plain", 1), graph(tmp_path / "groups", GROUPS)
    tasks, body = plain["root"]["dag"]["tasks"], loop_of(spec)[1]
    inside = {name: task for name, task in tasks.items() if name in body}

    assert components_of(inside) + Counter(GROUPING[:2]) == components_of(body)
    assert components_of(tasks).keys() - components_of(inside).keys() == BEFORE | BEHIND
    wanted = {hand for hand in producers(inside) if hand[2] in inside}
    assert {hand for hand in producers(body) if not {hand[0], hand[2]} & {"take-group", "pack-group"}} == wanted
    assert ("validate", "raw", "take-group", "taken") in producers(body)


def test_behind_the_loop_every_dataset_comes_from_where_the_groups_meet(tmp_path: Path) -> None:
    plain, spec = graph(tmp_path / "plain", 1), graph(tmp_path / "groups", GROUPS)
    tasks, body = plain["root"]["dag"]["tasks"], loop_of(spec)[1]
    packed = {(name, output): given for _, given, name, output in producers({"pack-group": body["pack-group"]})}
    wanted = {
        (to, given, "gather-groups", packed[source, output]) if source in body else (to, given, source, output)
        for to, given, source, output in producers({name: task for name, task in tasks.items() if name not in body})
    }
    found = producers({name: task for name, task in spec["root"]["dag"]["tasks"].items() if "for-loop" not in name})
    assert {hand for hand in found if hand[0] != "gather-groups"} == wanted


def test_no_parameter_that_a_task_gives_enters_the_loop(tmp_path: Path) -> None:
    # KFP's local runner would put the loop's item in its place.
    loop, _ = loop_of(graph(tmp_path, GROUPS))
    assert [name for name, given in loop["inputs"]["parameters"].items() if "taskOutputParameter" in given] == []


def test_parameters_and_outputs_are_those_of_the_pipeline_without_groups(tmp_path: Path) -> None:
    plain, spec = graph(tmp_path / "plain", 1), graph(tmp_path / "groups", GROUPS)

    assert spec["root"]["inputDefinitions"] == plain["root"]["inputDefinitions"]
    assert spec["root"]["outputDefinitions"] == plain["root"]["outputDefinitions"]
    assert spec["pipelineInfo"] == plain["pipelineInfo"]


Runner = Callable[..., Finished]


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Runner:
    """Run the pipeline on a source of four shards, with a series that fails in one of them."""
    folder = tmp_path_factory.mktemp("fan-out")
    source = folder / "observations.csv"
    write_observations(source, hours=range(HOURS))
    source.write_text(source.read_text() + "broken,yesterday,1.0\n")
    arguments = {"source": str(source), "horizon": 12, "input_size": 48, "model_name": "plant"}

    def run_over(groups: int | None, **more: Any) -> Finished:
        place = folder / f"groups-{groups}-{len(list(folder.iterdir()))}"
        place.mkdir()
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SPARKHU_ROWS_PER_SHARD", "700")
            return run(place, place / "home", "forecast", {**arguments, **more}, groups)

    return run_over


@pytest.fixture(scope="module")
def plain(runner: Runner) -> Finished:
    return runner(None)


@pytest.fixture(scope="module")
def over_groups(runner: Runner) -> Finished:
    return runner(GROUPS)


def tasks_of(finished: Finished) -> Counter[str]:
    return Counter(finished.finished_steps())


@pytest.mark.slow
@pytest.mark.xdist_group("fan-out")
def test_preparation_ran_once_a_group_and_the_rest_once(plain: Finished, over_groups: Finished) -> None:
    before, after = tasks_of(plain), tasks_of(over_groups)
    once = BEFORE | BEHIND | {"gather_groups"}

    assert set(before.values()) == {1}
    assert {step: count for step, count in after.items() if count == 1}.keys() == once
    assert set(after.values()) == {1, GROUPS}
    assert after.keys() == before.keys() | set(GROUPING)
    assert after.total() == len(once) + GROUPS * BODY


@pytest.mark.slow
@pytest.mark.xdist_group("fan-out")
def test_results_are_those_without_groups_byte_for_byte(plain: Finished, over_groups: Finished) -> None:
    one, other = contents(plain.results), contents(over_groups.results)

    assert {"clean.parquet", "forecasts.parquet", "ledger.parquet", "metrics.json", "profile.parquet"} <= one.keys()
    assert one.keys() == other.keys()
    assert [name for name in one if one[name] != other[name]] == []


@pytest.mark.slow
@pytest.mark.xdist_group("fan-out")
def test_each_step_stands_once_in_the_history_with_the_rows_of_all_groups(
    plain: Finished, over_groups: Finished
) -> None:
    one, other = (
        {record["step"]: record for record in json.loads((each.results / "history.json").read_text())}
        for each in (plain, over_groups)
    )
    same = ("rows_in", "rows_out", "series_in", "series_skipped", "series_failed", "counts", "params", "notes")
    for step, record in one.items():
        assert {name: other[step][name] for name in same} == {name: record[name] for name in same}
    assert other["take_group"]["counts"] == {"shards": 4}


@pytest.mark.slow
@pytest.mark.xdist_group("fan-out")
def test_the_series_that_failed_in_its_group_is_in_the_ledger(over_groups: Finished) -> None:
    entry = over_groups.table("ledger").filter(pl.col("status") == "failed")
    assert entry.select("unique_id", "step").rows() == [("broken", "validate")]


@pytest.mark.slow
@pytest.mark.xdist_group("fan-out")
def test_too_many_failed_series_over_all_groups_end_the_run(runner: Runner) -> None:
    # Of six series one fails, 0.17; the other groups have none that does.
    with pytest.raises(Exception, match=r"1 of 6 series failed, more than max_failed_share = 0\.1 allows"):
        runner(2, max_failed_share=0.1)


def short_series(path: Path, count: int) -> None:
    days = list(enumerate(f"2024-01-{day:02d}" for day in range(1, 17)))
    lines = (f"s{number:05d},{day},{(number * 7 + at * at) % 11}" for number in range(count) for at, day in days)
    path.write_text("series,when,reading\n" + "\n".join(lines) + "\n")


@pytest.mark.slow
@pytest.mark.xdist_group("fan-out")
def test_ten_thousand_series_make_no_more_tasks_than_six(tmp_path: Path, over_groups: Finished) -> None:
    short_series(tmp_path / "series.csv", 10_000)
    arguments = {"source": str(tmp_path / "series.csv"), "horizon": 2, "input_size": 4}
    finished = run(tmp_path, tmp_path / "home", "forecast", arguments, GROUPS)

    assert finished.table("stats").height == 10_000
    assert tasks_of(finished) == tasks_of(over_groups)


def test_every_step_but_those_of_groups_and_of_prediction_is_in_the_graph_without_groups(tmp_path: Path) -> None:
    tasks = components_of(graph(tmp_path, 1)["root"]["dag"]["tasks"])
    predicting = {"load_champion", "learn_new", "forecast_new", "publish_forecasts"}
    assert set(COMPONENTS) - tasks.keys() == {*GROUPING, *predicting}


def test_a_hundred_groups_are_gathered_by_a_command_that_linux_takes() -> None:
    # KFP starts a task with all of its artifacts in one argument, of which Linux takes 128 KiB. One folder of each of a
    # hundred groups takes some 50 KB; each of 21 datasets of every group would take 21 times that.
    spec = forecast_pipeline_over(100).pipeline_spec.components["comp-gather-groups"]
    place = f"minio://mlpipeline/v2/artifacts/sparkhu-forecast/{uuid4()}/pack-group"
    told = {"step": "pack_group", "seconds": 123.4567, "rows_in": 10**9, "rows_out": 10**9, "series_in": 10**5}
    told |= {"series_skipped": 10**5, "series_failed": 10**5, "code": "0.1.0+3f2a9c1b7d04"}
    packs = [Dataset(name="packed", uri=f"{place}/{uuid4()}/packed", metadata=told) for _ in range(100)]
    arguments = {"packed": packs, "metadata": packs[0], "past": "", "lake": ""}
    given = construct_executor_input(spec, arguments, task_root=place, block_input_artifact=False)
    length = len(json.dumps(executor_input_to_dict(given, spec)))

    assert length < 128 * 1024
