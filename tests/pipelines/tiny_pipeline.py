"""A pipeline of two small tasks, for the tests of the local runner."""

from typing import Any, NamedTuple

from kfp import dsl
from kfp.dsl import Dataset, Input, Output


@dsl.component(base_image="sparkhu/steps", install_kfp_package=False)
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


@dsl.component(base_image="sparkhu/steps", install_kfp_package=False)
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


@dsl.component(base_image="sparkhu/steps", install_kfp_package=False)
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
