"""Rules that hold for the whole repository."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).resolve().parent.parent
PRODUCT = ("sparkhu", "cli", "components", "feature_repo", "pipelines", "retention_service", "docs")
PYPROJECTS = [
    ROOT / folder / "pyproject.toml" for folder in (".", "components", "feature_repo", "pipelines", "retention_service")
]
LONGEST_FILE, LONGEST_TEST_FILE, LONGEST_FUNCTION = 300, 400, 45
VAGUE_NAMES = {"common", "core", "helper", "helpers", "manager", "managers", "misc", "util", "utils"}
TABLE_LIBRARIES = {"duckdb", "feast", "ibis", "pandas", "pyarrow"}
HEAVY = TABLE_LIBRARIES | {"kfp", "matplotlib", "mlflow", "numba", "plotly", "scipy", "sklearn", "statsmodels"}
STEPS_MAY_IMPORT = {
    *("errors", "frame", "kernels", "ledger", "periods", "splits", "steps", "threads", "zones", "calendars"),
    "versions",
}


@cache
def tracked() -> list[Path]:
    """Files that belong to the repository, including those about to be added."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout
    return [path for name in sorted(listed.split("\0")) if name and (path := ROOT / name).is_file()]


def modules(*folders: str) -> list[Path]:
    return [path for path in tracked() if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in folders]


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.fixture(scope="session", autouse=True)
def _in_a_work_tree() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("the rules of the repository are checked in a git work tree")


@pytest.mark.parametrize(("folders", "limit"), [(PRODUCT, LONGEST_FILE), (("tests",), LONGEST_TEST_FILE)])
def test_no_module_is_long(folders: tuple[str, ...], limit: int) -> None:
    lengths = {shown(path): len(path.read_text("utf-8").splitlines()) for path in modules(*folders)}
    assert {name: length for name, length in lengths.items() if length > limit} == {}


def test_no_function_body_is_longer_than_45_lines() -> None:
    long = {}
    for path in modules(*PRODUCT):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef):
                body = node.body[1:] if ast.get_docstring(node) else node.body
                length = (node.end_lineno or 0) - body[0].lineno + 1 if body else 0
                if length > LONGEST_FUNCTION:
                    long[f"{shown(path)}:{node.name}"] = length
    assert long == {}


def test_module_names_say_what_is_in_them() -> None:
    assert [shown(path) for path in tracked() if path.suffix == ".py" and path.stem in VAGUE_NAMES] == []
    folders = {part for path in tracked() for part in path.relative_to(ROOT).parts[:-1]}
    assert folders & VAGUE_NAMES == set()


def test_tracked_files_name_no_package_index_and_no_machine_path() -> None:
    # Joined here so that this file does not name them itself.
    forbidden = re.compile(
        "|".join(
            ["pypi" + r"\.org", "python" + "hosted", "npmjs" + r"\.", "deb" + r"ian\.org", r"(?<!emit-)index-url\s+\S"]
        )
        + r"|(?<![\w.~-])/(?:work|home|root|Users|mnt|opt)/\w"
    )
    found = []
    for path in tracked():
        if path.suffix in {".png", ".parquet", ".gz"}:
            continue
        text = path.read_text("utf-8")
        found += [f"{shown(path)}: {match.group()}" for match in forbidden.finditer(text)]
    assert found == []


def test_the_only_folder_looked_for_outside_the_repository_is_the_evaluation_data_of_ci() -> None:
    mentions = [
        shown(path)
        for path in tracked()
        if path != Path(__file__) and "shared/data" in path.read_bytes().decode("latin-1")
    ]
    assert mentions == [".ci/run"]


def test_the_arrows_between_packages_go_one_way() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    result = subprocess.run([linter, "--no-cache"], check=False, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout


def test_steps_import_nothing_that_opens_a_file() -> None:
    strangers = {}
    for path in modules("sparkhu"):
        if path.parent != ROOT / "sparkhu" / "steps":
            continue
        names = imported(path)
        own = {name.split(".")[1] for name in names if name.startswith("sparkhu.")}
        if own - STEPS_MAY_IMPORT:
            strangers[path.name] = own - STEPS_MAY_IMPORT
    assert strangers == {}


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def test_component_modules_keep_their_annotations() -> None:
    told = [shown(path) for path in modules("components", "pipelines") if "__future__.annotations" in imported(path)]
    assert told == [], "kfp reads annotations at run time"


def loaded_by(statement: str) -> set[str]:
    script = f"{statement}\nimport json, sys\nprint(json.dumps([name for name in sys.modules if '.' not in name]))"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, text=True, cwd=ROOT)
    return set(json.loads(result.stdout.splitlines()[-1]))


@pytest.mark.parametrize("statement", ["import sparkhu", "import sparkhu.frame", "import sparkhu_cli.main"])
def test_imports_stay_light(statement: str) -> None:
    assert loaded_by(statement) & HEAVY == set()


def test_no_step_module_loads_a_heavy_library_when_imported() -> None:
    steps = [path.stem for path in modules("sparkhu") if path.parent == ROOT / "sparkhu" / "steps"]
    statement = "\n".join(f"import sparkhu.steps.{name}" for name in steps if name != "__init__")
    assert loaded_by(statement) & HEAVY == set()


def test_generated_pages_are_fresh_and_every_command_is_documented() -> None:
    from sparkhu_cli.main import sparkhu

    command = [sys.executable, "docs/generate.py", "--check"]
    result = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    page = (ROOT / "docs/reference/command.md").read_text("utf-8")
    readme = (ROOT / "README.md").read_text("utf-8")
    for name in sparkhu.list_commands(None):  # type: ignore[arg-type]
        section = page.partition(f"## sparkhu {name}\n")[2].partition("\n## ")[0]
        assert "Example:" in section, f"sparkhu {name} shows no example"
        assert f"sparkhu {name}" in readme or name == "demo", f"the README does not mention sparkhu {name}"


def is_there(folder: Path, link: str) -> bool:
    return "://" in link or (folder / link).exists()


def test_links_of_the_documents_lead_somewhere() -> None:
    pages = {path: path.read_text("utf-8") for path in tracked() if path.suffix == ".md"}
    links = [(page, link) for page, text in pages.items() for link in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text)]
    broken = [f"{shown(page)}: {link}" for page, link in links if not is_there(page.parent, link)]
    assert broken == []


def declared(path: Path) -> list[Requirement]:
    if path.suffix == ".toml":
        project = tomllib.loads(path.read_text("utf-8"))["project"]
        extras = project.get("optional-dependencies", {})
        wanted = project["dependencies"] + [line for name in ("registry",) for line in extras.get(name, [])]
    else:
        wanted = [line for line in path.read_text("utf-8").splitlines() if line and not line.startswith("#")]
    return [each for each in map(Requirement, wanted) if not each.name.startswith("sparkhu")]


def pinned(lock: str) -> dict[str, Version]:
    pins = re.findall(r"^([\w.-]+)==([^\s;]+)", (ROOT / "requirements" / lock).read_text("utf-8"), flags=re.MULTILINE)
    return {name.lower().replace("_", "-"): Version(version) for name, version in pins}


@pytest.mark.parametrize(
    ("lock", "sources"),
    [
        ("run.txt", [*PYPROJECTS, *(ROOT / f"requirements/{name}.in" for name in ("build", "torch"))]),
        ("dev.txt", [*PYPROJECTS, *(ROOT / f"requirements/{name}.in" for name in ("build", "torch", "dev"))]),
    ],
)
def test_locks_satisfy_what_is_declared(lock: str, sources: list[Path]) -> None:
    pins = pinned(lock)
    for requirement in (each for source in sources for each in declared(source)):
        version = pins.get(requirement.name.lower().replace("_", "-"))
        assert version is not None, f"{requirement} is not in {lock}: make lock"
        assert requirement.specifier.contains(version, prereleases=True), f"{lock} pins {version}: make lock"


def test_tests_run_on_the_versions_that_users_get() -> None:
    run, dev = pinned("run.txt"), pinned("dev.txt")
    assert {name: (version, dev.get(name)) for name, version in run.items() if dev.get(name) != version} == {}


def test_every_locked_distribution_has_a_hash() -> None:
    for lock in ("run.txt", "dev.txt"):
        text = (ROOT / "requirements" / lock).read_text("utf-8")
        blocks = re.split(r"^(?=[\w.-]+==)", text, flags=re.MULTILINE)[1:]
        assert [block.split()[0] for block in blocks if "--hash=sha256:" not in block] == []


def test_all_distributions_have_one_version() -> None:
    projects = [tomllib.loads(path.read_text("utf-8"))["project"] for path in PYPROJECTS]
    versions = {project["version"] for project in projects}
    assert len(versions) == 1
    (version,) = versions
    extras = [
        line for project in projects for lines in project.get("optional-dependencies", {}).values() for line in lines
    ]
    siblings = [
        line
        for line in [line for project in projects for line in project["dependencies"]] + extras
        if line.startswith("sparkhu")
    ]
    assert siblings
    assert all(line.endswith(f"=={version}") for line in siblings), siblings
