import json
import re
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from sparkhu.errors import InputError
from sparkhu.report import write_report
from sparkhu.report.reading import Results
from sparkhu.report.tables import trials_table
from sparkhu.report.trials import study_document
from sparkhu.report.tuning import gain, metric_name, read_tuning, tuned_line, tuning_section
from sparkhu.tuning.document import Tuning
from tests.sparkhu.report.fake_tuning import EVIL_REASON, EVIL_VALUE, document, group, trials

TABLE = trials("1h/24", 24, seed=1)


def entry(**changes: Any) -> dict[str, Any]:
    """A group whose defaults reach 0.5 and whose best trial 0.4; some of it otherwise."""
    best = {"trial": 7, "objective": 0.4, "assignment": {"strength": "0.1", "depth": "3"}}
    usual = {"objective": 0.5, "assignment": {"strength": "0.01", "depth": "3"}}
    told = {"best": best, "defaults": usual, "assignment": best["assignment"], "reason": "all trials were made"}
    return {**group(TABLE, "search"), **told, "importance": {"strength": 0.9, "depth": 0.1}, **changes}


def tuning(*groups: dict[str, Any], **changes: Any) -> Tuning:
    return Tuning.model_validate(document(list(groups), **changes))


def section(told: Tuning | None, table: pl.DataFrame | None = None) -> str:
    opened = Results(Path(), {} if table is None else {"trials": table.lazy()}, {})
    return tuning_section(told, opened, trials_table(opened))


def text_of(html: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", html).split()).replace(" .", ".").replace(" ,", ",")


@pytest.mark.parametrize(
    ("direction", "usual", "best", "share"),
    [
        # (0.5 - 0.4) / 0.5; (0.6 - 0.5) / 0.5; of a negative score (-0.5 - -0.4) / 0.5 to be made small is worse.
        ("minimize", 0.5, 0.4, 0.2),
        ("maximize", 0.5, 0.6, 0.2),
        ("maximize", -0.5, -0.4, 0.2),
        ("minimize", 0.0, -0.4, None),
        ("minimize", None, 0.4, None),
    ],
)
def test_the_gain_is_the_share_by_which_the_objective_is_better_than_that_of_the_defaults(
    direction: str, usual: float | None, best: float, share: float | None
) -> None:
    reached = {"trial": 1, "objective": best, "assignment": {}}
    told = tuning(
        entry(defaults={"objective": usual, "assignment": {}}, best=reached),
        objective={"metric": "score", "direction": direction},
    )
    assert gain(told.groups[0], told) == (None if share is None else pytest.approx(share))


def test_the_summary_says_in_a_line_what_tuning_brought() -> None:
    line = tuned_line(tuning(entry()))
    assert text_of(line) == "Linear was tuned with 24 trials: validation MSE 20 % lower than with the defaults."
    assert 'href="#tuning"' in line


def test_the_summary_says_how_many_trials_were_made_in_this_run() -> None:
    stored = entry(origin="store", trials=40)
    assert "tuned with 40 trials, none of them in this run: " in text_of(tuned_line(tuning(stored)))
    assert "tuned with 64 trials, 24 of them in this run: " in text_of(tuned_line(tuning(entry(), stored)))
    assert "tuned with 1 trial: " in text_of(tuned_line(tuning(entry(trials=1))))


def test_the_spread_over_groups_is_told_and_where_the_defaults_stay() -> None:
    slight = entry(defaults={"objective": 0.41, "assignment": {}})
    stays = entry(chosen="defaults")
    assert "validation MSE 2.4 to 20 % lower than with the defaults." in text_of(tuned_line(tuning(entry(), slight)))
    line = text_of(tuned_line(tuning(entry(), stays)))
    assert "20 % lower than with the defaults in 1 of 2 groups; the defaults stay in the others." in line


def test_a_larger_objective_is_told_as_higher_and_where_it_was_measured() -> None:
    reached = {"trial": 1, "objective": 0.6, "assignment": {}}
    told = tuning(entry(best=reached), objective={"metric": "hit_rate", "direction": "maximize"})
    assert "hit rate 20 % higher on validation than with the defaults." in text_of(tuned_line(told))


def test_where_no_trial_was_better_the_defaults_stay() -> None:
    usual = {"strength": "0.01", "depth": "3"}
    told = tuning(entry(chosen="defaults", assignment=usual))
    assert "no trial was better than the defaults, which stay." in text_of(tuned_line(told))
    shown = text_of(section(told))
    assert "Parameter Used Best trial" in shown
    assert "strength 0.01 0.1 90 %" in shown


def test_the_names_of_measures_are_written_as_people_say_them() -> None:
    for name, said in (("validation_mse", "validation MSE"), ("smape", "sMAPE"), ("hit_rate", "hit rate")):
        assert metric_name(tuning(objective={"metric": name, "direction": "minimize"})) == said


def test_a_search_of_this_run_says_how_its_trials_ended_and_why_it_did() -> None:
    shown = text_of(section(tuning(entry()), TABLE))
    assert "Searched in this run: 24 trials by tpe (21 succeeded, 1 stopped early, 2 failed). " in shown
    assert "All trials were made. Stored under the fingerprint 4c1d9e074c1d." in shown
    assert "Best validation MSE, trial 7 0.4000 Validation MSE of the defaults 0.5000" in shown
    well = TABLE.filter(pl.col("status") == "Succeeded")
    assert "24 trials by tpe. All trials" in text_of(section(tuning(entry()), well))


def test_katibs_reasons_are_told_in_words() -> None:
    shown = text_of(section(tuning(entry(reason="ExperimentMaxTrialsReached"))))
    assert "24 trials by tpe. All trials were made. Stored" in shown
    assert "Experiment" not in shown


def test_stored_values_say_when_they_were_found_and_that_no_trial_was_run() -> None:
    shown = text_of(section(tuning(entry(origin="store")), TABLE))
    assert "Found 2026-03-02 09:30 UTC with 24 trials by tpe" in shown
    assert "stored under the fingerprint 4c1d9e074c1d and reused" in shown
    assert "no trial was run" in shown
    assert "Searched in this run" not in shown


def test_a_moment_of_another_zone_is_told_in_utc() -> None:
    shown = text_of(section(tuning(entry(origin="store", found_at="2026-03-02T09:30:00+02:00"))))
    assert "Found 2026-03-02 07:30 UTC" in shown


def test_values_stand_beside_the_defaults_the_most_important_first() -> None:
    shown = section(tuning(entry(assignment={"strength": "0.0031622776601683794", "depth": "3"})))
    assert re.findall(r'<th scope="row">(\w+)</th>', shown) == ["strength", "depth"]
    assert '<span title="0.0031622776601683794">0.003162</span>' in shown
    assert '<tr class=same><th scope="row">depth</th>' in shown
    assert [float(width) for width in re.findall(r'<i style="width:([\d.]+)%">', shown)] == [100.0, 11.1]
    assert "variance of the objective" in shown


def test_where_importance_is_not_known_the_table_has_none_and_says_so() -> None:
    shown = section(tuning(entry(importance={})))
    assert "how much each parameter matters is not known" in shown
    assert "Importance</th>" not in shown


def test_of_groups_that_gained_alike_the_first_is_open() -> None:
    shown = section(tuning(entry(), entry(group="1h/168")), pl.concat([TABLE, trials("1h/168", 40, seed=2)]))
    assert re.findall(r"<details class=\"tuned-group\"( open)?><summary><b>([^<]*)", shown) == [
        (" open", "1h/24"),
        ("", "1h/168"),
    ]
    assert re.findall(r'data-study="(\d)"', shown) == ["0", "1"]
    assert "<details" not in section(tuning(entry()))


def test_each_model_has_its_own_answer_and_its_own_trials() -> None:
    trees = entry(model="trees", trials=1, defaults={"objective": 0.8, "assignment": {}})
    told = tuning(entry(), trees)
    lines = text_of(tuned_line(told))
    assert "Linear was tuned with 24 trials: validation MSE 20 % lower than with the defaults." in lines
    assert "Trees was tuned with 1 trial: validation MSE 50 % lower than with the defaults." in lines
    one = TABLE.head(1).with_columns(model=pl.lit("trees"), status=pl.lit("Failed"))
    shown = section(told, pl.concat([TABLE, one]))
    assert re.findall(r'data-study="(\d)"', shown) == ["0", "1"]
    assert "<details" not in shown
    assert "24 trials by tpe (21 succeeded" in text_of(shown)
    assert "1 trial by tpe (1 failed)" in text_of(shown)


def test_the_group_that_gained_most_is_open() -> None:
    better = {"trial": 7, "objective": 0.3, "assignment": {"strength": "0.1", "depth": "3"}}
    shown = section(tuning(entry(), entry(group="1d/7", best=better), entry(group="1w/52")))
    assert re.findall(r"<details class=\"tuned-group\" open><summary><b>([^<]*)", shown) == ["1d/7"]


def test_without_a_table_of_trials_the_values_stand_and_no_place_for_pictures() -> None:
    shown = section(tuning(entry()))
    assert "No trials.parquet in this run." in shown
    assert "data-study" not in shown
    assert '<th scope="row">strength</th>' in shown


def test_all_trials_are_listed_with_what_they_were_given() -> None:
    told = tuning(group(TABLE, "search"))
    assert '<div class="table" data-table="trials"></div>' in section(told, TABLE)
    table = trials_table(Results(Path(), {"trials": TABLE.lazy()}, {}))
    assert table is not None
    heads = [
        "Model",
        "Group",
        "Trial",
        "Status",
        "Objective",
        "strength",
        "look_back",
        "shrink_to",
        "Seconds",
        "Message",
    ]
    assert [column["label"] for column in table.document["columns"]] == heads
    assert (table.total, table.document["data"][3].count("Failed")) == (24, 2)
    said = TABLE.with_columns(message=pl.lit("Trial has ended"))
    table = trials_table(Results(Path(), {"trials": said.lazy()}, {}))
    assert table is not None
    assert table.document["data"][-1].count("Trial has ended") == 3  # of those that did not succeed
    well = trials_table(Results(Path(), {"trials": said.filter(pl.col("status") == "Succeeded").lazy()}, {}))
    assert well is not None
    assert well.document["columns"][-1]["label"] == "Seconds"


def test_a_run_without_tuning_says_so_calmly() -> None:
    assert text_of(section(None)) == "Not tuned in this run: there is no tuning.json."
    assert text_of(section(tuning())) == "Not tuned in this run: models are trained with their defaults."
    assert tuned_line(None) == tuned_line(tuning()) == ""


def test_defaults_that_could_not_be_fitted_are_told() -> None:
    nothing = {"objective": None, "assignment": {}}
    reason = "ExperimentMaxTrialsReached; the defaults cannot be fitted: the loss is no number"
    shown = text_of(section(tuning(entry(defaults=nothing, reason=reason)), TABLE))
    assert "All trials were made; the defaults cannot be fitted: the loss is no number. " in shown
    assert "the values of the best trial are used; validation MSE of the defaults is not known" in shown


def test_a_search_without_a_result_keeps_the_defaults() -> None:
    told = entry(best=None, chosen="defaults", assignment={"strength": "0.01", "depth": "3"}, importance={})
    shown = text_of(section(tuning(told), TABLE))
    assert "no trial gave a result, so the defaults stay" in shown
    assert "Best validation MSE – " in shown


def test_a_group_that_could_not_be_searched_says_why_and_shows_nothing_else() -> None:
    nothing = {"objective": None, "assignment": {}}
    told = entry(
        best=None, chosen="defaults", assignment={}, defaults=nothing, trials=0, importance={}, reason="no window"
    )
    shown = section(tuning(told), pl.DataFrame(schema={"model": pl.String, "group": pl.String}))
    assert "Not searched. No window." in text_of(shown)
    assert "No trial was made." in shown
    assert "<table" not in shown
    assert 'class="study"' not in shown


def test_the_pictures_are_given_trials_and_parameters_the_most_important_first() -> None:
    told = tuning(group(TABLE, "search"))
    given = study_document(told.groups[0], told, TABLE.with_columns(pl.lit(None, pl.Float64).alias("param.other")))
    assert (given["metric"], given["direction"], given["defaults"]) == ("validation MSE", "minimize", 0.4127)
    assert given["trial"] == list(range(24))
    assert given["status"].count("failed") == 2
    assert given["status"][9] == "stopped early"
    assert [value is None for value in given["objective"]] == [state == "failed" for state in given["status"]]
    assert [param["name"] for param in given["params"]] == ["strength", "shrink_to", "look_back"]
    assert [param["default"] for param in given["params"]] == [0.01, "nought", 336.0]
    assert given["params"][1]["values"] == TABLE["param.shrink_to"].to_list()
    assert given["best"] == told.groups[0].best.trial  # type: ignore[union-attr]


def test_texts_of_data_stay_text(report: Path) -> None:
    page = report.read_text(encoding="utf-8")
    assert "alert(7)" in page
    assert EVIL_REASON not in page
    assert EVIL_VALUE not in page
    shown = section(tuning(entry(assignment={EVIL_VALUE: EVIL_VALUE}, group=EVIL_VALUE), entry()), TABLE)
    assert EVIL_VALUE not in shown


def test_a_document_that_does_not_follow_its_schema_is_the_users_error(results: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(results, tmp_path / "part")
    document = json.loads((folder / "tuning.json").read_text())
    document["groups"][1]["chosen"] = "luck"
    (folder / "tuning.json").write_text(json.dumps(document))
    with pytest.raises(InputError, match=r"tuning\.json' does not follow its schema at 'groups\.1\.chosen'"):
        write_report(folder, tmp_path / "report.html")


def test_a_run_without_the_document_has_no_tuning() -> None:
    assert read_tuning(Results(Path(), {}, {})) is None
