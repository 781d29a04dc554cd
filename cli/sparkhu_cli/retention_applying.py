"""Plan, apply and restore from the command: progress, questions, and how they end."""

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from sparkhu.errors import InputError, SparkhuError
from sparkhu_cli.retention_asking import in_terms_of_options, request_of
from sparkhu_cli.retention_lines import plain, show_items, show_plan, size, write_json
from sparkhu_cli.terminal import FAILED, OK, SKIPPED, Terminal, seconds_text

if TYPE_CHECKING:
    from sparkhu_retention.service.answers import Counted, PlanAnswer, PlanTotal, RunAnswer
    from sparkhu_retention.service.operations import Operations

GOES = ("archive", "delete")
MOST_FAILURES = 10
Failures = list[tuple[str, SparkhuError]]
"""Why storages failed, each by its name."""


def make_plans(
    operations: "Operations", storage: str | None, terminal: Terminal, *, items: int, as_json: bool, by: str
) -> None:
    """Plan one storage or all, and show what would be done; one that fails does not keep the others from it.

    Raises:
        InputError: There is no such storage, or policies contradict each other.
        SparkhuError: A storage or the database fails.
    """
    plans, failures = _planned(operations, storage, terminal, by)
    if as_json:
        told = plain(plans)
        for each, plan in zip(told, plans, strict=True):
            each["items"] = plain(_first(operations, plan, items))
        write_json(told)
    else:
        for plan in plans:
            show_plan(plan, terminal)
            show_items(_first(operations, plan, items), terminal)
        _tell_what_next(plans, terminal)
    _fail(failures)


def _tell_what_next(plans: Sequence["PlanAnswer"], terminal: Terminal) -> None:
    if any(_goes(plan) or plan.returning for plan in plans):
        option = f" --plan {plans[0].id}" if len(plans) == 1 else ""
        terminal.line(f"Nothing was done. Next: sparkhu retention apply{option}")
    elif plans:
        terminal.line("Nothing goes: what is due is held back." if any(map(_held, plans)) else "Nothing is due.")


def apply_plans(
    operations: "Operations",
    plan: str | None,
    storage: str | None,
    terminal: Terminal,
    *,
    sure: bool,
    as_json: bool,
    by: str,
) -> None:
    """Apply a plan, or new ones of one storage or all; one that fails does not keep the others from it.

    Raises:
        InputError: There is no such plan or storage, or nobody said yes.
        SparkhuError: Something could not be done; what failed is untouched.
    """
    aside = Terminal(sys.stderr) if as_json else terminal
    plans, failures = ([_chosen(operations, plan, storage)], []) if plan else _planned(operations, storage, aside, by)
    for each in plans:
        show_plan(each, aside)
    if not sure and any(_goes(each) for each in plans) and not _confirmed(plans):
        aside.line("Nothing was done.")
    else:
        ended, failed = _applied(operations, plans, aside, by)
        failures += failed
        _tell(ended, terminal, as_json=as_json, held={plan.id: _held(plan) for plan in plans})
    _fail(failures)


def _chosen(operations: "Operations", plan: str, storage: str | None) -> "PlanAnswer":
    found = operations.plan(plan)
    if storage not in (None, found.storage):
        raise InputError(f"--plan '{plan}' is of the storage '{found.storage}', --storage says '{storage}'; give one")
    return found


def _applied(
    operations: "Operations", plans: Sequence["PlanAnswer"], terminal: Terminal, by: str
) -> tuple[list["RunAnswer"], Failures]:
    ended: list[RunAnswer] = []
    failures: Failures = []
    for plan in plans:
        try:
            ended.append(operations.apply(plan.id, by=by, watch=lambda run: _show_progress(run, terminal)))
        except SparkhuError as error:
            failures.append((plan.storage, error))
        terminal.clear()
    return ended, failures + _of_runs(ended)


def restore_items(
    operations: "Operations", wanted: Mapping[str, Any], terminal: Terminal, *, as_json: bool, by: str
) -> None:
    """Put items back.

    Raises:
        InputError: There is no such storage, or something that is named was not removed; nothing was done.
        SparkhuError: Something could not be put back.
    """
    from sparkhu_retention.service.answers import RestoreRequest

    aside = Terminal(sys.stderr) if as_json else terminal
    request = request_of(RestoreRequest, wanted)
    with in_terms_of_options():
        operations.restorable(request)
    ended = operations.restore(request, by=by, watch=lambda run: _show_progress(run, aside))
    aside.clear()
    _tell([ended], terminal, as_json=as_json, held={})
    _fail(_of_runs([ended]))


def _planned(
    operations: "Operations", storage: str | None, terminal: Terminal, by: str
) -> tuple[list["PlanAnswer"], Failures]:
    wanted = [each for each in operations.storages() if storage in (None, each.name)]
    if not wanted and storage is None:
        raise InputError(
            "there is no storage: list them in a file, as docs/retention.md shows, and give it to --storages"
        )
    plans: list[PlanAnswer] = []
    failures: Failures = []
    for name, archive in [(each.name, each.archive) for each in wanted] or [(str(storage), None)]:
        terminal.passing(f"{name}: looking")
        try:
            plans.append(operations.make_plan(name, by=by))
            if archive is not None:
                of_archive = operations.make_plan(name, by=by, tier="archive")
                plans += [of_archive] if _goes(of_archive) or of_archive.held else []
        except SparkhuError as error:
            failures.append((name, error))
    terminal.clear()
    return plans, failures


def _fail(failures: Failures) -> None:
    if failures:
        kind = InputError if all(isinstance(error, InputError) for _, error in failures) else SparkhuError
        raise kind("; ".join(f"{storage}: {error}" for storage, error in failures))


def _first(operations: "Operations", plan: "PlanAnswer", count: int) -> list[Any]:
    """Give the first items that go or would, but for what holds them."""
    found: list[Any] = []
    for action in (*GOES, "held"):
        if len(found) < count:
            found += operations.planned(plan.id, action=action, limit=count - len(found)).items
    return found


def _goes(plan: "PlanAnswer") -> int:
    return plan.past_grace.items + sum(total.items for total in plan.totals if total.action in GOES)


def _held(plan: "PlanAnswer") -> int:
    return sum(total.items for total in plan.totals if total.action == "held")


def _confirmed(plans: Sequence["PlanAnswer"]) -> bool:
    going = [total for plan in plans for total in plan.totals if total.action in GOES]
    past = [plan.past_grace for plan in plans if plan.past_grace.items]
    bare = sum(total.items for total in going if total.action == "delete")
    without = f", {bare:,} of them without an archive" if bare else ""
    parts = [f"remove {_much(going)}{without}"] if going else []
    parts += [f"purge {_much(past)} whose grace is over"] if past else []
    what = " and ".join(parts)
    if not sys.stdin.isatty():
        raise InputError(f"this would {what}; say --yes where nobody can be asked")
    return click.confirm(f"{what[:1].upper()}{what[1:]}?", default=False)


def _much(counts: Sequence["PlanTotal | Counted"]) -> str:
    return f"{sum(each.items for each in counts):,} items of {size(sum(each.bytes for each in counts))}"


def _show_progress(run: "RunAnswer", terminal: Terminal) -> None:
    terminal.passing(f"{run.storage}: {run.items:,} items; {_steps(run) or 'beginning'}")


def _steps(run: "RunAnswer") -> str:
    return ", ".join(f"{counted.items:,} {step} ({size(counted.bytes)})" for step, counted in run.done.items())


def _tell(runs: Sequence["RunAnswer"], terminal: Terminal, *, as_json: bool, held: Mapping[str, int]) -> None:
    """Tell how runs ended; `held` is what their plans left where it is, by plan."""
    if as_json:
        write_json(plain(runs))
    for run in runs:
        if not as_json:
            _tell_one(run, terminal, held.get(run.plan or "", 0))


def _of_runs(runs: Sequence["RunAnswer"]) -> Failures:
    """Say of runs that failed how much did; what and why was told with the run."""
    left = {"apply": "What could not be archived and verified was left in place.", "restore": "The others are back."}
    failed = [run for run in runs if run.state == "failed"]
    counts = [run.done["failed"].items if "failed" in run.done else len(run.failures) for run in failed]
    return [
        (run.storage, SparkhuError(f"{count:,} item{'s' * (count != 1)} could not be dealt with. {left[run.kind]}"))
        for run, count in zip(failed, counts, strict=True)
    ]


def _tell_one(run: "RunAnswer", terminal: Terminal, held: int) -> None:
    seconds = seconds_text((run.ended_at - run.began_at).total_seconds()) if run.ended_at else SKIPPED
    left = f"; {held:,} held back, as planned" if held else ""
    mark = FAILED if run.state == "failed" else OK
    terminal.marked(mark, f"{run.storage}: {_steps(run) or 'nothing to do'} in {seconds}{left}")
    for failure in run.failures[:MOST_FAILURES]:
        terminal.line(f"  {failure.item or 'the run'}: {failure.detail}")
    if len(run.failures) > MOST_FAILURES:
        terminal.line(f"  and {len(run.failures) - MOST_FAILURES:,} more")
