"""Facts about the images as they are built: what they hold, what they say of themselves, what is not in them."""

import json
from collections.abc import Callable
from importlib.metadata import version

import pytest

from sparkhu.lineage import code_fingerprint
from tests.images.conftest import Image

TARGETS = ("steps", "training", "services", "steps-spark", "retention")
MEGABYTE = 1_000_000
LIST_PACKAGES = """
import json, re
from importlib.metadata import distributions
print(json.dumps({re.sub("[-_.]+", "-", d.name).lower(): d.version for d in distributions()}))
"""
FIND_JAVA = "command -v java; find / -xdev -path '*/bin/java' 2>/dev/null; true"
pytestmark = pytest.mark.containers
Find = Callable[[str], Image]


def bill(image: Image) -> dict[str, dict[str, str]]:
    """What the bill of materials lists: versions by kind of package and name."""
    listed: dict[str, dict[str, str]] = {"pypi": {}, "deb": {}}
    for each in json.loads(image.run("cat", f"/usr/share/sbom/{image.target}.cdx.json"))["components"]:
        kind = each.get("purl", "").removeprefix("pkg:").partition("/")[0]
        if kind in listed:
            listed[kind][each["name"].lower().replace("_", "-").replace(".", "-")] = each["version"]
    return listed


@pytest.mark.parametrize(("target", "limit"), [("steps", 900), ("services", 450), ("retention", 450)])
def test_an_image_is_no_larger_than_promised(image: Find, target: str, limit: int) -> None:
    assert image(target).inspected["Size"] <= limit * MEGABYTE


@pytest.mark.parametrize("target", TARGETS)
def test_nobody_is_root_and_nobody_can_write_what_runs(image: Find, target: str) -> None:
    found = image(target)
    assert found.config["User"] == "10001:10001"
    writable = ("find", "/usr/local/sparkhu", "(", "-perm", "-o+w", "-o", "-uid", "10001", ")", "-not", "-type", "l")
    assert found.run(*writable) == ""


@pytest.mark.parametrize("target", TARGETS)
def test_java_is_only_where_spark_is(image: Find, target: str) -> None:
    assert bool(image(target).run("sh", "-c", FIND_JAVA)) == (target == "steps-spark")


@pytest.mark.parametrize("target", TARGETS)
def test_labels_name_the_image_its_version_and_the_code_inside(image: Find, target: str) -> None:
    found = image(target)
    inside = found.run("python3", "-c", "from sparkhu.lineage import code_fingerprint as f; print(f())")
    labels = found.config["Labels"]
    assert labels["org.opencontainers.image.title"] == f"sparkhu/{target}"
    assert labels["org.opencontainers.image.version"] == version("sparkhu")
    assert labels["org.sparkhu.code"] == inside


@pytest.mark.parametrize("target", TARGETS)
def test_an_image_holds_the_library_of_this_work_tree(image: Find, target: str) -> None:
    assert image(target).config["Labels"]["org.sparkhu.code"] == code_fingerprint(), "make images builds them anew"


@pytest.mark.parametrize("target", TARGETS)
def test_the_bill_of_materials_lists_what_is_installed_and_no_more(image: Find, target: str) -> None:
    found = image(target)
    installed = json.loads(found.run("python3", "-c", LIST_PACKAGES))
    listed = bill(found)
    assert listed["pypi"] == installed
    packages = found.run("dpkg-query", "--show", "--showformat", "${Package} ${Version}\n").splitlines()
    assert listed["deb"] == {
        name.replace(".", "-"): release for name, _, release in (each.partition(" ") for each in packages)
    }


@pytest.mark.parametrize("target", TARGETS)
def test_packages_that_were_downloaded_stand_in_the_bill_with_checksum_and_licence(image: Find, target: str) -> None:
    found = image(target)
    document = json.loads(found.run("cat", f"/usr/share/sbom/{target}.cdx.json"))
    python = [each for each in document["components"] if each.get("purl", "").startswith("pkg:pypi/")]
    own = {each["name"] for each in python if each["name"].startswith("sparkhu")}
    assert {each["name"] for each in python if "hashes" not in each} == own
    assert [each["name"] for each in python if "licenses" not in each] == []


@pytest.mark.parametrize("target", TARGETS)
def test_secrets_of_the_build_are_nowhere_in_an_image(image: Find, target: str) -> None:
    found = image(target)
    assert (
        found.run("sh", "-c", "find / -xdev '(' -name 'pip.conf' -o -path '/run/secrets/*' ')' 2>/dev/null; true") == ""
    )
    variables = [each for each in found.config["Env"] if "PIP" in each or "CERT" in each or "INDEX" in each]
    assert variables == []
