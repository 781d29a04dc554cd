"""The list of parameters is complete, and so is the page that is written from it."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from sparkhu.sections import SECTIONS
from sparkhu_cli.main import sparkhu
from sparkhu_cli.parameter_list import Parameter, chapters, described
from sparkhu_pipelines.forecast import forecast_pipeline

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "parameters.md"


def listed() -> dict[str, Parameter]:
    return {each.name: each for chapter in chapters() for each in chapter.parameters}


def test_every_parameter_of_the_pipeline_and_every_setting_of_a_section_is_listed_once() -> None:
    sections = {section.title: section for section in SECTIONS}
    settings = {f"{title}.{name}" for title, section in sections.items() for name in section.model_fields}
    own = set(forecast_pipeline.component_spec.inputs) - set(sections)
    names = [each.name for chapter in chapters() for each in chapter.parameters]
    assert sorted(names) == sorted(own | settings)
    assert all(each.meaning and each.takes for each in listed().values())


def test_the_page_has_a_row_for_each() -> None:
    rows = PAGE.read_text("utf-8").splitlines()
    for each in listed().values():
        (row,) = [row for row in rows if row.startswith(f"| `{each.name}` |")]
        assert each.meaning in row
        assert f"`{each.option or f'--set {each.name}=…'}`" in row


@pytest.mark.parametrize(
    ("name", "takes", "default", "option"),
    [
        ("horizon", "whole number, at least 0", "0", "--horizon"),
        ("model_name", "text", "forecaster", "--model"),
        ("reading.decimal", "one of: '', '.', ','", "''", "--decimal"),
        ("decomposition.seasons", "list of whole number", "[]", ""),
        ("anomalies.low", "number or not given", "", ""),
        ("handling.alpha", "number, above 0, at most 1", "0.3", ""),
        ("preserve_last", "true or false", "false", ""),
    ],
)
def test_a_parameter_says_what_it_takes_and_which_option_sets_it(
    name: str, takes: str, default: str, option: str
) -> None:
    found = listed()[name]
    assert (found.takes, found.default, found.option) == (takes, default, option)


def test_the_command_lists_them_without_a_source() -> None:
    result = CliRunner().invoke(sparkhu, ["run", "--list-parameters"])
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.strip() == described()
    assert "  handling.alpha=0.3\n      Weight of the newest" in result.stdout
    assert "  horizon=0  (--horizon)\n" in result.stdout
