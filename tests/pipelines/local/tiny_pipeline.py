"""A pipeline of two small tasks, for the tests of the local runner."""

from typing import Any, NamedTuple

from kfp import dsl
from kfp.dsl import Dataset, Input, Output

from sparkhu_components.images import STEPS


@dsl.component(base_image=STEPS, install_kfp_package=False)
def produce(numbers: Output[Dataset], behaviour: str = "work") -> None:
    """Write a file, or behave as asked: refuse (at once or in the step), break, or sleep."""
    import time
    from pathlib import Path

    from sparkhu.errors import InputError
    from sparkhu.execution import recorded

    if behaviour == "refuse at once":
        raise InputError("behaviour cannot be 'refuse at once'; give 'work'.")
    with recorded("produce", inputs=[], outputs=[numbers.path]) as (notes, (draft,)):
        notes.say("numbers are made up")
        if behaviour == "refuse":
            raise InputError("behaviour cannot be 'refuse'; give 'work'.")
        if behaviour == "break":
            raise RuntimeError("the disk is full")
        if behaviour == "sleep":
            time.sleep(60)
        Path(draft, "numbers.txt").write_text("1 2 3")


@dsl.component(base_image=STEPS, install_kfp_package=False)
def total(numbers: Input[Dataset], answer: Output[Dataset]) -> None:
    """Sum the numbers."""
    from pathlib import Path

    from sparkhu.execution import recorded

    with recorded("total", inputs=[numbers.path], outputs=[answer.path]) as (_, (draft,)):
        text = Path(numbers.path, "numbers.txt").read_text()
        Path(draft, "total.txt").write_text(str(sum(map(int, text.split()))))


class Outputs(NamedTuple):
    answer: Dataset


@dsl.pipeline(name="tiny")
def tiny(behaviour: str = "work") -> Outputs:
    """Make numbers and sum them."""
    made = produce(behaviour=behaviour)
    summed = total(numbers=made.outputs["numbers"])
    return Outputs(answer=summed.outputs["answer"])


@dsl.component(base_image=STEPS, install_kfp_package=False)
def work_on(numbers: Input[Dataset], done: Output[Dataset], group: int, groups: int, log: str) -> None:
    """Note that a group is at work, then break where it is the first, else take some time."""
    import time
    from pathlib import Path

    from sparkhu.execution import recorded
    from sparkhu.lineage import Group

    with recorded("work_on", inputs=[numbers.path], outputs=[done.path], group=Group(group, groups)):
        with Path(log).open("a") as file:
            file.write(f"{group}\n")
        if group == 1:
            raise RuntimeError("the disk is full")
        time.sleep(60)


def tiny_over(groups: int) -> Any:
    """Make a pipeline whose second task runs once a group."""

    @dsl.pipeline(name="tiny-over")
    def over(log: str) -> Outputs:
        made = produce()
        with dsl.ParallelFor(list(range(1, groups + 1))) as group:
            work_on(numbers=made.outputs["numbers"], group=group, groups=groups, log=log)
        return Outputs(answer=made.outputs["numbers"])

    return over


@dsl.component(base_image=STEPS, install_kfp_package=False)
def look_around(seen: Output[Dataset], asked: dict[str, Any]) -> None:
    """Try what a step has no business with, and write down what came of it."""
    import json
    import os
    import socket
    from pathlib import Path

    def outcome(attempt: Any) -> str:
        try:
            return str(attempt())
        except OSError as error:
            return type(error).__name__

    Path(seen.path).mkdir()
    found = {
        "write to the root": outcome(lambda: Path("/written").write_text("1")),
        "write to what is read": outcome(lambda: Path(asked["read"], "written").write_text("1")),
        "list what is read": outcome(lambda: sorted(path.name for path in Path(asked["read"]).iterdir())),
        "look beside what is read": outcome(lambda: list((Path(asked["read"]).parent / "other").iterdir())),
        "reach the service": outcome(lambda: socket.create_connection(("127.0.0.1", int(asked["port"])), 2).close()),
        "user": f"{os.getuid()}:{os.getgid()}",
        "rights": Path("/proc/self/status").read_text().partition("CapEff:\t")[2][:16],
        "variables": sorted(os.environ),
    }
    Path(seen.path, "seen.json").write_text(json.dumps(found))


class Seen(NamedTuple):
    seen: Dataset


@dsl.pipeline(name="tiny-look")
def look(source: str, asked: dict[str, Any]) -> Seen:
    """Look around in a container that was given a source."""
    return Seen(seen=look_around(asked=asked).outputs["seen"])


@dsl.component(base_image=STEPS, install_kfp_package=False)
def vanish(seen: Output[Dataset]) -> None:
    """End in the middle of a step, as if all were well."""
    import os

    from sparkhu.execution import recorded

    with recorded("vanish", inputs=[], outputs=[seen.path]):
        os._exit(0)


@dsl.pipeline(name="tiny-vanishing")
def vanishing() -> None:
    """Vanish in a step that gives nothing to another one."""
    vanish()


@dsl.component(base_image=STEPS, install_kfp_package=False)
def die_at_once(seen: Output[Dataset]) -> None:
    """Be killed before a step has begun."""
    import os
    import signal

    os.kill(os.getpid(), signal.SIGKILL)


@dsl.pipeline(name="tiny-dying")
def dying() -> None:
    """Be killed."""
    die_at_once()


@dsl.component(base_image="sparkhu/elsewhere:0.0.9", install_kfp_package=False)
def in_no_image(done: Output[Dataset]) -> None:
    """Run in an image that nobody has."""


@dsl.pipeline(name="tiny-nowhere")
def nowhere() -> None:
    """Run nothing."""
    in_no_image()
