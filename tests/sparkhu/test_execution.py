import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from sparkhu import ledger
from sparkhu.errors import InputError, SparkhuError
from sparkhu.execution import metadata, recorded, run_step
from sparkhu.lineage import code_fingerprint, read_trail
from sparkhu.shards import open_dataset, read_shard, write_manifest, write_shard
from sparkhu.steps.result import StepResult

SERIES = {"a": [1.0, 2.0], "b": [3.0], "c": [4.0, 5.0, 6.0], "d": [7.0, 8.0]}
Ingest = Callable[..., Path]


@pytest.fixture
def ingest(tmp_path: Path) -> Ingest:
    """Write SERIES as a rows dataset of some shards."""

    def make(shards: int = 2, max_failed_share: float | None = None) -> Path:
        folder = tmp_path / f"raw{shards}"
        params = {} if max_failed_share is None else {"max_failed_share": max_failed_share}
        names = list(SERIES)
        parts = [names[number * len(names) // shards : (number + 1) * len(names) // shards] for number in range(shards)]
        with recorded("ingest", inputs=[], outputs=[folder], params=params) as (notes, (draft,)):
            frames = [pl.DataFrame({"unique_id": ids, "y": [SERIES[name] for name in ids]}) for ids in parts]
            written = [write_shard(draft, f"s{at}", frame.explode("y")) for at, frame in enumerate(frames)]
            write_manifest(draft, "rows", written)
            notes.entries, notes.rows_out = ledger.entries(names), sum(shard.rows for shard in written)
        return folder

    return make


def double(observations: pl.DataFrame, *, factor: float = 2.0, failing: tuple[str, ...] = ()) -> StepResult:
    """Give the rows, a layer and a table; fail the series that are named."""
    ids = observations["unique_id"].unique(maintain_order=True)
    failed = ids.is_in(list(failing))
    status = pl.select(pl.when(failed).then(pl.lit("failed")).otherwise(pl.lit("ok"))).to_series()
    reason = pl.select(pl.when(failed).then(pl.lit("it was named"))).to_series()
    frames = {
        "rows": observations.with_columns(pl.col("y") * factor),
        "layer": observations.select(pl.col("y") * factor, flag=pl.lit(True)),
        "table": observations.group_by("unique_id", maintain_order=True).agg(pl.len()),
    }
    return StepResult(frames, ledger.entries(ids, status=status, reason=reason), {"rows_seen": observations.height})


def broken(observations: pl.DataFrame) -> StepResult:
    if "c" in observations["unique_id"]:
        raise InputError("c cannot be read")
    return double(observations)


def interrupted(observations: pl.DataFrame) -> StepResult:
    raise KeyboardInterrupt


def short_layer(observations: pl.DataFrame) -> StepResult:
    return StepResult({"layer": observations.select("y").head(1)}, ledger.empty())


def run(raw: Path | list[Path], out: Path, *, step: Callable[..., StepResult] = double, **options: object) -> Path:
    outputs = {"rows": (out / "rows", "rows"), "layer": (out / "layer", "columns"), "table": (out / "table", "series")}
    arguments = {"name": "double", "workers": 1, **options}
    run_step(step, inputs={"observations": raw}, outputs=outputs, **arguments)  # type: ignore[arg-type]
    return out


def content(folder: Path) -> pl.DataFrame:
    return open_dataset(folder).scan().collect()


def test_a_step_writes_what_it_adds_in_shards_of_the_same_names(ingest: Ingest, tmp_path: Path) -> None:
    out = run(ingest(), tmp_path / "out", params={"factor": 10.0})
    assert content(out / "rows")["y"].to_list() == [10, 20, 30, 40, 50, 60, 70, 80]
    assert content(out / "layer").columns == ["y", "flag"]
    assert content(out / "table").rows() == [("a", 2), ("b", 1), ("c", 3), ("d", 2)]
    for name, kind in (("rows", "rows"), ("layer", "columns"), ("table", "series")):
        made = open_dataset(out / name)
        assert made.kind == kind
        assert [shard.name for shard in made.shards] == ["s0", "s1"]


@pytest.mark.parametrize(("shards", "workers"), [(1, 1), (3, 1), (3, 2), (2, 2)])
def test_results_are_the_same_for_any_number_of_shards_and_workers(
    ingest: Ingest, tmp_path: Path, shards: int, workers: int
) -> None:
    wanted = run(ingest(4), tmp_path / "wanted", params={"failing": ("b",)})
    found = run(ingest(shards), tmp_path / "found", params={"failing": ("b",)}, workers=workers)
    for name in ("rows", "layer", "table"):
        assert content(found / name).equals(content(wanted / name))
    assert read_trail([found / "rows"]).entries.equals(read_trail([wanted / "rows"]).entries)
    (one, two) = (read_trail([at / "rows"]).history[-1] for at in (found, wanted))
    assert (one.rows_in, one.rows_out, one.series_in, one.series_failed, one.counts) == (
        *(two.rows_in, two.rows_out, two.series_in, two.series_failed, two.counts),
    )


def test_what_happened_is_told_and_kept_beside_every_output(ingest: Ingest, tmp_path: Path) -> None:
    outputs = {"rows": (tmp_path / "rows", "rows"), "table": (tmp_path / "table", "series")}
    told = run_step(
        double,
        name="double",
        inputs={"observations": ingest()},
        outputs=outputs,  # type: ignore[arg-type]
        params={"failing": ("d",)},
        workers=1,
    )
    assert told == metadata(tmp_path / "table")
    assert told.pop("seconds") >= 0
    assert told == {
        "step": "double",
        "rows_in": 8,
        "rows_out": 6,
        "series_in": 4,
        "series_skipped": 0,
        "series_failed": 1,
        "code": code_fingerprint(),
        "rows_seen": 8,
    }
    history = read_trail([tmp_path / "rows"]).history
    assert [(record.step, record.inputs, record.params) for record in history] == [
        ("ingest", (), {}),
        ("double", ("ingest",), {"failing": ["d"]}),
    ]
    assert history == read_trail([tmp_path / "table"]).history


def test_a_failing_series_leaves_the_rows_and_keeps_its_place_in_layers(ingest: Ingest, tmp_path: Path) -> None:
    out = run(ingest(), tmp_path / "out", params={"failing": ("b",)})
    assert content(out / "rows")["unique_id"].unique().sort().to_list() == ["a", "c", "d"]
    assert content(out / "layer").height == 8


def test_a_table_about_series_keeps_what_tells_why_one_failed(ingest: Ingest, tmp_path: Path) -> None:
    out = run(ingest(), tmp_path / "out", params={"failing": ("b",)})
    assert content(out / "table")["unique_id"].to_list() == ["a", "b", "c", "d"]


def test_a_failed_series_is_left_out_from_there_on_and_layers_stay_aligned(ingest: Ingest, tmp_path: Path) -> None:
    raw = ingest(1)
    first = run(raw, tmp_path / "first", params={"failing": ("b",)})
    second = run([raw, first / "layer"], tmp_path / "second", name="again")
    assert content(second / "table")["unique_id"].to_list() == ["a", "c", "d"]
    assert content(second / "layer").rows() == [
        *[(4.0, True), (8.0, True)],
        (None, None),
        *[(16.0, True), (20.0, True), (24.0, True)],
        *[(28.0, True), (32.0, True)],
    ]
    whole = read_shard([open_dataset(path) for path in (raw, first / "layer", second / "layer")], "s0")
    assert whole["unique_id"].to_list() == ["a", "a", "b", "c", "c", "c", "d", "d"]
    assert read_trail([second / "layer"]).entries.filter(unique_id="b")["step"].to_list() == ["ingest", "double"]


def test_a_layer_that_does_not_fit_is_refused_when_it_is_made(ingest: Ingest, tmp_path: Path) -> None:
    with pytest.raises(SparkhuError, match="the step gave 1 rows of columns beside 3 rows of observations"):
        run_step(
            short_layer,
            name="short",
            inputs={"observations": ingest()},
            outputs={"layer": (tmp_path / "layer", "columns")},
            workers=1,
        )
    assert not (tmp_path / "layer").exists()


@pytest.mark.parametrize("workers", [1, 2])
def test_an_exception_in_a_shard_goes_on_and_leaves_nothing(ingest: Ingest, tmp_path: Path, workers: int) -> None:
    raw = ingest()
    with pytest.raises(InputError, match="c cannot be read"):
        run(raw, tmp_path / "out", step=broken, workers=workers)
    assert list((tmp_path / "out").iterdir()) == []


def test_an_input_that_is_no_dataset_is_refused_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no dataset"):
        run(tmp_path / "nowhere", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_too_many_failed_series_stop_the_run_and_leave_nothing(ingest: Ingest, tmp_path: Path) -> None:
    with pytest.raises(SparkhuError, match=r"3 of 4 series failed, more than max_failed_share = 0.5.*double: it was"):
        run(ingest(), tmp_path / "out", params={"failing": ("a", "b", "c")})
    assert list((tmp_path / "out").iterdir()) == []
    run(ingest(), tmp_path / "half", params={"failing": ("a", "b")})


def test_the_allowed_share_of_failed_series_is_the_one_of_the_first_step(ingest: Ingest, tmp_path: Path) -> None:
    raw = ingest(max_failed_share=0.25)
    run(raw, tmp_path / "one", params={"failing": ("a",)})
    with pytest.raises(SparkhuError, match=r"2 of 4 series failed, more than max_failed_share = 0\.25 allows"):
        run(raw, tmp_path / "two", params={"failing": ("a", "b")})


def test_progress_is_told(ingest: Ingest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = ingest()
    monkeypatch.setenv("SPARKHU_EVENTS", str(tmp_path / "events"))
    run(raw, tmp_path / "out")
    told = [json.loads(line) for line in (tmp_path / "events").read_text().splitlines()]
    assert [event["kind"] for event in told] == ["step_started", "shard_done", "shard_done", "step_finished"]
    assert told[2] == {"kind": "shard_done", "step": "double", "done": 2, "of": 2}
    assert told[3]["record"]["rows_out"] == 8


@pytest.mark.parametrize(
    ("step", "error", "code"), [(broken, InputError, 2), (interrupted, KeyboardInterrupt, 130)], ids=["input", "ctrl-c"]
)
def test_a_failure_is_told_with_its_exit_code(
    ingest: Ingest, tmp_path: Path, *, step: Callable[..., StepResult], error: type[BaseException], code: int
) -> None:
    raw, told = ingest(), tmp_path / "events"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARKHU_EVENTS", str(told))
        with pytest.raises(error):
            run(raw, tmp_path / "out", step=step)
    last = json.loads(told.read_text().splitlines()[-1])
    assert (last["kind"], last["error_type"], last["exit_code"]) == ("step_failed", error.__name__, code)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_failure_of_the_system_ends_with_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARKHU_EVENTS", str(tmp_path / "events"))
    with pytest.raises(OSError, match="no space"):
        fill_the_disk(tmp_path / "out")
    last = json.loads((tmp_path / "events").read_text().splitlines()[-1])
    assert (last["exit_code"], last["message"]) == (1, "no space left")
    assert not (tmp_path / "out").exists()


def fill_the_disk(out: Path) -> None:
    with recorded("write", inputs=[], outputs=[out]):
        raise OSError("no space left")


def test_a_note_is_said_and_kept_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARKHU_EVENTS", str(tmp_path / "events"))
    with recorded("ingest", inputs=[], outputs=[tmp_path / "out"]) as (notes, _):
        notes.say("the period is 1h")
        notes.say("the period is 1h")
    assert read_trail([tmp_path / "out"]).history[0].notes == ("the period is 1h",)
    said = [json.loads(line) for line in (tmp_path / "events").read_text().splitlines()]
    assert [event for event in said if event["kind"] == "note"] == [
        {"kind": "note", "step": "ingest", "message": "the period is 1h"}
    ]
