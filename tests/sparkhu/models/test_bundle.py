import json
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from sparkhu.errors import InputError, SparkhuError
from sparkhu.frame import TIME
from sparkhu.models.bundle import MANIFEST, Contents, DamagedBundleError, OutdatedBundleError, read_bundle, write_bundle
from sparkhu.models.naive import SeasonalNaive


def tables(**changes: pl.DataFrame) -> dict[str, pl.DataFrame]:
    profile = pl.DataFrame(
        {
            "unique_id": ["a", "b"],
            "group": ["1h/24", None],
            "season_length": [24, 1],
            "input_size": [48, 2],
            "horizon": [24, 1],
        }
    )
    scalers = pl.DataFrame({"unique_id": ["a", "b"], "center": [1.5, 0.0], "scale": [2.0, 1.0]})
    choices = pl.DataFrame(
        {"unique_id": ["a", "b"], "strategy": ["mean", None], "fit_value": [1.5, None]}
    ).with_columns(fit_available_at=pl.lit(None, TIME))
    intervals = pl.DataFrame(
        {"unique_id": ["a"], "model": ["linear"], "step": [1], "radius_80": [0.5], "radius_95": [1.0]}
    )
    stats = pl.DataFrame({"unique_id": ["a", "b"], "fit_q1": [1.0, None], "fit_q3": [3.0, None]}).with_columns(
        fit_until=pl.lit(None, TIME)
    )
    return {
        "profile": profile,
        "source_profile": pl.DataFrame(
            {"unique_id": ["a", "b"], "decision": "regular", "period_label": ["15min", "1d"], "season_length": [96, 7]}
        ),
        "scalers": scalers,
        "stats": stats,
        "choices": choices,
        "cleaning": pl.DataFrame({"unique_id": ["a", "b"], "kept": ["outliers", "none"]}),
        "intervals": intervals,
        **changes,
    }


def write(folder: Path, *, flavor: str = "seasonal_naive", **changes: pl.DataFrame) -> Path:
    folder.mkdir()
    write_bundle(
        folder,
        Contents(
            name="demo",
            flavor=flavor,
            models={"seasonal_naive": {"1h/24": SeasonalNaive(48, 24, 24), "1h:24": SeasonalNaive(48, 12, 12)}},
            params={"horizon": 24},
            sources=[{"uri": "file:///x.csv", "sha256": "ab" * 32}],
            code="0.1.0+abc",
            **tables(**changes),
        ),
    )
    return folder


def test_a_bundle_comes_back_as_it_was_written(tmp_path: Path) -> None:
    bundle = read_bundle(write(tmp_path / "b"))
    assert (bundle.name, bundle.flavor, bundle.code, bundle.params) == (
        "demo",
        "seasonal_naive",
        "0.1.0+abc",
        {"horizon": 24},
    )
    assert bundle.sources == [{"uri": "file:///x.csv", "sha256": "ab" * 32}]
    for name, frame in tables().items():
        assert_frame_equal(getattr(bundle, name), frame)


def test_groups_of_like_names_keep_their_own_models(tmp_path: Path) -> None:
    models = read_bundle(write(tmp_path / "b")).models
    horizons = {name: {group: model.horizon for group, model in groups.items()} for name, groups in models.items()}
    assert horizons == {"seasonal_naive": {"1h/24": 24, "1h:24": 12}}


def test_a_bundle_holds_only_json_parquet_and_safetensors(tmp_path: Path) -> None:
    suffixes = {path.suffix for path in write(tmp_path / "b").rglob("*") if path.is_file()}
    assert suffixes == {".json", ".parquet", ".safetensors"}


def test_a_bundle_can_be_moved(tmp_path: Path) -> None:
    moved = write(tmp_path / "b").rename(tmp_path / "moved")
    assert read_bundle(moved).folder == moved


def test_a_group_without_a_model_is_refused(tmp_path: Path) -> None:
    profile = tables()["profile"].with_columns(group=pl.Series(["1d/7", None]))
    with pytest.raises(InputError, match=r"group '1d/7' of the profile has no model\. Give one"):
        write(tmp_path / "b", profile=profile)
    assert not (tmp_path / "b" / MANIFEST).exists()


def test_a_flavor_that_is_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="flavor must be one of seasonal_naive, got 'linear'"):
        write(tmp_path / "b", flavor="linear")


def test_a_table_without_a_needed_column_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="column 'scale' is missing"):
        write(tmp_path / "b", scalers=tables()["scalers"].drop("scale"))


@pytest.mark.parametrize(
    ("table", "column"),
    [("stats", "fit_until"), ("choices", "fit_value"), ("choices", "fit_available_at"), ("cleaning", "kept")],
)
def test_what_training_fitted_travels_along(tmp_path: Path, table: str, column: str) -> None:
    with pytest.raises(InputError, match=f"column '{column}' is missing"):
        write(tmp_path / "b", **{table: tables()[table].drop(column)})


def test_a_folder_without_a_bundle_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=rf"'{tmp_path}' holds no model bundle \(bundle.json is missing\)"):
        read_bundle(tmp_path)


def test_a_manifest_is_damaged_or_older_or_newer(tmp_path: Path) -> None:
    manifest = write(tmp_path / "b") / MANIFEST
    for content, refused in [("{", DamagedBundleError), ("[]", DamagedBundleError), ("{}", DamagedBundleError)]:
        manifest.write_text(content)
        with pytest.raises(refused):
            read_bundle(manifest.parent)
    manifest.write_text('{"schema_version": 2}')
    with pytest.raises(OutdatedBundleError):
        read_bundle(manifest.parent)
    manifest.write_text('{"schema_version": 4}')
    with pytest.raises(InputError, match="bundle schema 4") as newer:
        read_bundle(manifest.parent)
    assert not isinstance(newer.value, OutdatedBundleError)


def test_another_schema_is_refused(tmp_path: Path) -> None:
    manifest = write(tmp_path / "b") / MANIFEST
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "schema_version": 2}))
    with pytest.raises(InputError, match=r"bundle schema 2, this version of Sparkhu reads 3\. Train the model again"):
        read_bundle(tmp_path / "b")


@pytest.mark.parametrize(("damage", "said"), [(b"x", "has changed"), (None, "is missing")])
def test_a_damaged_copy_is_refused(tmp_path: Path, damage: bytes | None, said: str) -> None:
    weights = next(write(tmp_path / "b").rglob("arrays.safetensors"))
    if damage is None:
        weights.unlink()
    else:
        weights.write_bytes(weights.read_bytes() + damage)
    with pytest.raises(SparkhuError, match=rf"arrays.safetensors' {said} since the model was saved"):
        read_bundle(tmp_path / "b")
