from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from sparkhu.frame import TIME
from sparkhu.models.bundle import Contents, write_bundle
from sparkhu.models.naive import LastValue, SeasonalNaive


@pytest.fixture
def bundle(tmp_path: Path) -> Callable[..., Path]:
    def make(flavor: str = "linear", sources: tuple[dict[str, object], ...] = ()) -> Path:
        folder = tmp_path / f"bundle-{flavor}"
        folder.mkdir()
        write_bundle(
            folder,
            Contents(
                name="demo",
                flavor=flavor,
                models={flavor: {"1h/24": SeasonalNaive(48, 24, 24)}, "last_value": {"1h/24": LastValue(48, 24)}},
                profile=pl.DataFrame(
                    {"unique_id": ["a"], "group": ["1h/24"], "season_length": [24], "input_size": [48], "horizon": [24]}
                ),
                source_profile=pl.DataFrame(
                    {"unique_id": ["a"], "decision": ["regular"], "period_label": ["1h"], "season_length": [24]}
                ),
                scalers=pl.DataFrame({"unique_id": ["a"], "center": [1.5], "scale": [2.0]}),
                stats=pl.DataFrame({"unique_id": ["a"], "fit_q1": [1.0], "fit_q3": [3.0]}).with_columns(
                    fit_until=pl.lit(None, TIME)
                ),
                choices=pl.DataFrame({"unique_id": ["a"], "strategy": ["linear"]}).with_columns(
                    fit_value=pl.lit(None, pl.Float64), fit_available_at=pl.lit(None, TIME)
                ),
                cleaning=pl.DataFrame({"unique_id": ["a"], "kept": ["none"]}),
                intervals=pl.DataFrame(
                    schema={
                        "unique_id": pl.String,
                        "model": pl.String,
                        "step": pl.Int64,
                        "radius_80": pl.Float64,
                        "radius_95": pl.Float64,
                    }
                ),
                params={"horizon": 24},
                sources=sources,
                code="0.1.0+abc",
            ),
        )
        return folder

    return make
