"""Policies in YAML files: several documents a file, several files a folder."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import yaml

from sparkhu.errors import InputError
from sparkhu.explaining import shown
from sparkhu_retention.policies.policy import Policy, document_of, policy_of

SUFFIXES: Final = (".yaml", ".yml")
EXAMPLE: Final = """name: observations
match: {dataset: observations}
archive_after: 1 year
"""


class _Loader(yaml.SafeLoader):
    """Reads YAML without making objects of it, and refuses a field that is given twice: the first would be lost."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Read a mapping."""
        counts = Counter(key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode))
        for name, count in counts.items():
            if count > 1:
                raise yaml.constructor.ConstructorError(None, None, f"field '{name}' is given twice", node.start_mark)
        return super().construct_mapping(node, deep)

    def construct_day(self, node: yaml.ScalarNode) -> Any:
        """Read a day or a time; one that there is not stays the text, for the field that it stands in to refuse it."""
        try:
            return self.construct_yaml_timestamp(node)
        except ValueError:
            return node.value


_Loader.add_constructor("tag:yaml.org,2002:timestamp", _Loader.construct_day)


def read_policies(places: Iterable[Path], *, now: datetime | None = None) -> list[Policy]:
    """Read the policies of files, and of the `.yaml` and `.yml` files of folders.

    Args:
        places: Files and folders.
        now: The time, which a floor must not lie behind; null: that of the clock.

    Returns:
        The policies, in the order of files by name and of documents in a file.

    Raises:
        InputError: A file cannot be read or holds none, a policy cannot be used, or two have one name. The message
            names file, field, value and the way out.
    """
    found: dict[str, tuple[Policy, str]] = {}
    mistakes: list[str] = []
    for where, content in (each for file in _files(places) for each in _documents(file)):
        try:
            policy = policy_of(content, now=now, where=where)
        except InputError as error:
            mistakes.append(str(error))
            continue
        if policy.name in found:
            first = found[policy.name][1]
            mistakes.append(f"{where}: field 'name' must be given once, got '{policy.name}', which {first} has too.")
        found[policy.name] = policy, where
    if mistakes:
        raise InputError("\n".join(mistakes))
    return [policy for policy, _ in found.values()]


def written(policies: Sequence[Policy]) -> str:
    """Write policies as YAML that `read_policies` reads."""
    documents = (yaml.safe_dump(document_of(policy), sort_keys=False, allow_unicode=True) for policy in policies)
    return "---\n".join(documents)


def _files(places: Iterable[Path]) -> Iterator[Path]:
    for place in places:
        if place.is_dir():
            there = sorted(file for file in place.iterdir() if file.suffix in SUFFIXES)
            if not there:
                raise InputError(f"folder '{place}' holds no policies. Give one with files such as policies.yaml.")
            yield from there
        else:
            yield place


def _documents(file: Path) -> Iterator[tuple[str, object]]:
    """Give the documents of a file, each with what messages call it; empty ones are passed over."""
    try:
        contents = list(yaml.load_all(file.read_text(encoding="utf-8"), Loader=_Loader))
    except OSError as error:
        raise InputError(f"policy file '{file}' cannot be read: {error.strerror}.") from error
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"policy file '{file}' is no YAML: {error}") from error
    several = len([content for content in contents if content is not None]) > 1
    if all(content is None for content in contents):
        raise InputError(f"policy file '{file}' is empty. Write a policy into it, such as:\n{EXAMPLE}")
    for number, content in enumerate(contents, 1):
        if content is not None:
            name = content.get("name") if isinstance(content, dict) else None
            which = f", document {number}{f' ({shown(name)})' if name else ''}" if several else ""
            yield f"policy file '{file}'{which}", content
