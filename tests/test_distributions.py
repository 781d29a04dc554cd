"""What the built distributions hold, and that they work installed, away from the repository."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
DISTRIBUTIONS = {
    ".": {"sparkhu", "sparkhu_cli"},
    "components": {"sparkhu_components"},
    "feature_repo": {"sparkhu_features"},
    "pipelines": {"sparkhu_pipelines"},
    "retention_service": {"sparkhu_retention"},
}
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    out = tmp_path_factory.mktemp("wheels")
    built = {}
    for folder in DISTRIBUTIONS:
        command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out / folder), "."]
        subprocess.run(command, cwd=ROOT / folder, check=True, capture_output=True)
        (built[folder],) = (out / folder).glob("*.whl")
    return built


@pytest.mark.parametrize("folder", DISTRIBUTIONS)
def test_a_wheel_holds_its_packages_under_the_products_name_and_nothing_else(
    wheels: dict[str, Path], folder: str
) -> None:
    names = zipfile.ZipFile(wheels[folder]).namelist()
    packages = DISTRIBUTIONS[folder]
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == packages
    assert {f"{package}/py.typed" for package in packages} <= set(names)
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)
    # Files that are no modules (page scripts, styles) travel along.
    for package in packages:
        source = ROOT / folder / package if (ROOT / folder / package).is_dir() else ROOT / "cli" / package
        here = {path for path in source.rglob("*") if path.is_file() and "__pycache__" not in path.parts}
        assert {f"{package}/{path.relative_to(source)}" for path in here} <= set(names)


def test_the_installed_packages_import_and_the_command_answers(wheels: dict[str, Path], tmp_path: Path) -> None:
    site = tmp_path / "site"
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(site)]
    subprocess.run([*install, *map(str, wheels.values())], check=True, capture_output=True)
    packages = sorted(set().union(*DISTRIBUTIONS.values()))
    script = "\n".join(f"import {name}; print({name}.__file__)" for name in packages)
    script += "\nfrom sparkhu_cli.main import main; import sys; sys.argv[1:] = ['--version']; main()"
    environment = {"PYTHONPATH": str(site), "PATH": "/usr/bin:/bin", "SPARKHU_HOME": str(tmp_path / "home")}
    said = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=environment, check=True, capture_output=True, text=True
    ).stdout.splitlines()
    assert said[:-1] == [str(site / name / "__init__.py") for name in packages]
    assert said[-1].startswith("sparkhu ")
