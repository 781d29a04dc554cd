"""Take out of an environment what no container opens: tests, headers, sources of extensions, other services' data.

python trim.py SITE_PACKAGES

The licences of what is installed, and what says which version it is, stay.
"""

import shutil
import subprocess
import sys
from pathlib import Path

FOLDERS = (
    "**/tests",
    "feast/ui",
    "feast/templates",
    "Crypto/SelfTest",
    "numpy/_core/include",
    *(f"plotly/{name}" for name in ("express", "figure_factory", "graph_objs", "labextension", "matplotlylib")),
    "plotly/validators",
    "requirements",
    "pyarrow/include",
    "pyarrow/src",
    "pip",
    "pip-*.dist-info",
    "setuptools",
    "setuptools-*.dist-info",
    "pkg_resources",
    "_distutils_hack",
)
FILES = (
    *("**/*.pyi", "**/*.pyx", "**/*.pxd", "**/*.pxi", "**/*.c", "**/*.h", "**/*.hpp", "**/*.cpp", "**/*.map", "**/*.a"),
    *("pyarrow/libarrow_flight.so*", "pyarrow/libarrow_python_flight.so*", "pyarrow/_flight*.so"),
    *("statsmodels/datasets/**/*.csv", "statsmodels/datasets/**/*.dta", "plotly/package_data/widgetbundle.js"),
    "distutils-precedence.pth",
)
AWS_DATA, AWS_SERVICES = "botocore/data", ("s3", "signin", "sso", "sso-oidc", "sts")
"""Of Amazon's services only the one that stores, and those that sign in to it."""
LARGE = 200_000
"""Bytes from which a library is worth stripping."""
NEVER_STRIPPED = (".libs",)
"""Libraries that were renamed after linking (auditwheel) do not survive it."""


def without_symbols(library: Path) -> None:
    """Take the symbols out of a library that only a debugger reads."""
    subprocess.run(["strip", "--strip-unneeded", str(library)], check=True)


def trim(site: Path) -> None:
    """Remove all of it."""
    for folder in [found for pattern in FOLDERS for found in site.glob(pattern) if found.is_dir()]:
        shutil.rmtree(folder, ignore_errors=True)
    for file in [found for pattern in FILES for found in site.glob(pattern) if found.is_file()]:
        file.unlink()
    for service in (site / AWS_DATA).iterdir():
        if service.is_dir() and service.name not in AWS_SERVICES:
            shutil.rmtree(service)
    for library in sorted(site.rglob("*.so*")):
        apart = any(part.endswith(NEVER_STRIPPED) for part in library.parts)
        if library.is_file() and not library.is_symlink() and not apart and library.stat().st_size > LARGE:
            without_symbols(library)


if __name__ == "__main__":
    trim(Path(sys.argv[1]))
