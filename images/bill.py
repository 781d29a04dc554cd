"""Write an image's bill of materials: Python's packages and Debian's, as CycloneDX JSON.

python bill.py IMAGE REPORTS OUT

Python's packages are found by cyclonedx-py in /usr/local/sparkhu, with their licences; the checksums of the files that
they came in are those of pip's own reports. Debian's packages are those that dpkg knows. Writes OUT/IMAGE.cdx.json.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import distributions
from pathlib import Path

from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import DisjunctiveLicense
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

ENVIRONMENT = "/usr/local/sparkhu/bin/python3"
DPKG = ["dpkg-query", "--show", "--showformat", "${Package}\t${Version}\t${Architecture}\n"]


def python_bill(image: str) -> Bom:
    """Let cyclonedx-py list what is installed in the environment."""
    command = [f"{sys.prefix}/bin/cyclonedx-py", "environment", ENVIRONMENT, "--output-reproducible", "--sv", "1.6"]
    written = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    bill: Bom = Bom.from_json(json.loads(written.stdout))  # type: ignore[attr-defined]
    bill.metadata.component = Component(name=f"sparkhu/{image}", type=ComponentType.CONTAINER)
    return bill


def checksums(reports: Path) -> dict[tuple[str, str], str]:
    """Read from pip's reports the SHA-256 of the file that each package of a version came in."""
    items = [item for report in reports.glob("*.json") for item in json.loads(report.read_text())["install"]]
    found = {}
    for item in items:
        package = canonical(item["metadata"]["name"]), item["metadata"]["version"]
        found[package] = item["download_info"]["archive_info"]["hashes"]["sha256"]
    return found


def canonical(name: str) -> str:
    """Write a package's name as package indices compare it."""
    return name.lower().replace("_", "-").replace(".", "-")


def licences() -> dict[str, str]:
    """Read the licences that packages name in words of their own, which cyclonedx-py passes over."""
    found = {}
    for each in distributions(
        path=[str(site) for site in Path("/usr/local/sparkhu").glob("lib/python3*/site-packages")]
    ):
        words = each.metadata.get("License", "")
        if words and "\n" not in words:
            found[canonical(each.metadata["Name"])] = words
    return found


def debian_components() -> Iterator[Component]:
    """List what dpkg knows to be installed."""
    listed = subprocess.run(DPKG, check=True, stdout=subprocess.PIPE, text=True)
    for line in listed.stdout.splitlines():
        name, version, architecture = line.split("\t")
        purl = PackageURL("deb", "debian", name, version, {"arch": architecture})
        yield Component(name=name, version=version, type=ComponentType.LIBRARY, purl=purl, bom_ref=str(purl))


def write_bill(image: str, reports: Path, out: Path) -> None:
    """Write the bill of an image whose files are those of this machine."""
    bill, known, named = python_bill(image), checksums(reports), licences()
    for component in bill.components:
        # Sparkhu's own distributions come from this work tree, of which cyclonedx-py makes no address.
        component.purl = component.purl or PackageURL("pypi", None, canonical(component.name), component.version)
        checksum = known.get((canonical(component.name), component.version or ""))
        if checksum:
            component.hashes.add(HashType(alg=HashAlgorithm.SHA_256, content=checksum))
        if not component.licenses and canonical(component.name) in named:
            component.licenses.add(DisjunctiveLicense(name=named[canonical(component.name)]))
    bill.components.update(debian_components())
    out.mkdir(parents=True, exist_ok=True)
    (out / f"{image}.cdx.json").write_text(JsonV1Dot6(bill).output_as_string(indent=1))


if __name__ == "__main__":
    write_bill(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
