"""Part an environment into two layers: files that were there before, and files that were added.

python layers.py LAYERS BEFORE LATE

Moves the files of /usr/local/sparkhu into LAYERS/steps where the list BEFORE names them, and into LAYERS/added where it
does not. Byte code goes where its source goes, but for that which the list LATE names: no step imports it.
"""

import shutil
import sys
from pathlib import Path

ENVIRONMENT = Path("/usr/local/sparkhu")


def source(path: Path) -> Path:
    """Name the file that byte code was compiled from; another file is its own source."""
    if path.suffix != ".pyc" or path.parent.name != "__pycache__":
        return path
    return path.parent.parent / f"{path.name.partition('.')[0]}.py"


def part(layers: Path, before: set[str], late: set[str]) -> None:
    """Move each file below the layer that it belongs to."""
    for name in ("steps", "added"):
        (layers / name).mkdir(parents=True)
    for path in [each for each in ENVIRONMENT.rglob("*") if each.is_symlink() or each.is_file()]:
        layer = layers / ("steps" if str(source(path)) in before and str(path) not in late else "added")
        target = layer / path.relative_to("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(path, target)


if __name__ == "__main__":
    part(Path(sys.argv[1]), *(set(Path(each).read_text().splitlines()) for each in sys.argv[2:]))
