"""Measure the images that are built, for their table in the docs: `make image-sizes` calls it.

Writes images/sizes.json: of each image its uncompressed bytes, and whether its user is root and Java is in it.
"""

import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

DOCKER = os.environ.get("DOCKER", "docker")
SIZES = Path(__file__).parent / "sizes.json"
TARGETS = ("steps", "training", "services", "steps-spark", "retention")
FIND_JAVA = "command -v java || find / -xdev -path '*/bin/java' -print -quit 2>/dev/null"
COUNT = "from importlib.metadata import distributions as d; print(len(list(d())))"


def docker(*arguments: str) -> str:
    """Ask the docker client."""
    asked = subprocess.run([DOCKER, *arguments], check=True, stdout=subprocess.PIPE, text=True)
    return asked.stdout.strip()


def measured(target: str) -> dict[str, Any]:
    """Measure one image."""
    image = f"sparkhu/{target}:{version('sparkhu')}"
    run = ("run", "--rm", "--network", "none", "--read-only", "--tmpfs", "/tmp", "--entrypoint")
    return {
        "bytes": int(docker("image", "inspect", "--format", "{{.Size}}", image)),
        "user": docker("image", "inspect", "--format", "{{.Config.User}}", image),
        "packages": int(docker(*run, "python3", image, "-c", COUNT)),
        "java": bool(docker(*run, "sh", image, "-c", f"{FIND_JAVA} || true")),
    }


def main() -> int:
    """Measure all of them, and keep that for the docs."""
    sizes = {target: measured(target) for target in TARGETS}
    SIZES.write_text(json.dumps({"schema_version": 1, "images": sizes}, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
