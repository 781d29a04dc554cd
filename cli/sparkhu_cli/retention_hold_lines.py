"""Place and release holds from the command, and show them."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sparkhu_cli.retention_asking import request_of
from sparkhu_cli.retention_lines import moment, plain, write_json
from sparkhu_cli.terminal import OK, SKIPPED, Terminal

if TYPE_CHECKING:
    from sparkhu_retention.service.answers import HoldAnswer
    from sparkhu_retention.service.operations import Operations


def place_hold(operations: "Operations", wanted: Mapping[str, Any], terminal: Terminal, *, by: str) -> None:
    """Place a hold; times are read as those of other commands.

    Raises:
        InputError: A field cannot be used.
    """
    from sparkhu_retention.service.answers import HoldRequest

    placed = operations.hold(request_of(HoldRequest, wanted), by=by)
    terminal.marked(OK, f"hold {placed.id} on {_held(placed)}")
    if placed.items_now is not None:
        terminal.line(_items_now(placed.items_now, len(placed.items or ())))
    terminal.aside(f"undo: sparkhu retention hold release {placed.id}")


def release_hold(operations: "Operations", hold: str, terminal: Terminal, *, by: str) -> None:
    """End a hold, and say so where it had ended before.

    Raises:
        InputError: There is no such hold.
    """
    stood = hold in {each.id for each in operations.holds()}
    ended = operations.release(hold, by=by)
    if stood:
        terminal.marked(OK, f"hold {ended.id} ('{ended.reason}') is released")
    else:
        since = f"since {moment(ended.released_at)} UTC, by {ended.released_by}"
        terminal.marked(SKIPPED, f"hold {ended.id} ('{ended.reason}') was released already: {since}")


def _held(hold: "HoldAnswer") -> str:
    """Say what a hold is on."""
    dataset = f"dataset '{hold.dataset}'" if hold.dataset else "every dataset"
    what = f"{'item ' * (len(hold.items) == 1)}{_items(hold.items)}" if hold.items else dataset
    span = [f"{word} {moment(at)} UTC" for word, at in (("from", hold.start), ("to", hold.end)) if at]
    return " ".join([f"{what} of {hold.storage or 'every storage'}{',' if span else ''}", *span])


def _items(items: Sequence[str]) -> str:
    return items[0] if len(items) == 1 else f"{len(items):,} items"


def _items_now(count: int, named: int) -> str:
    if not count:
        return "nothing falls under it now; what comes later will"
    others = f"; {named - count:,} of those named will when there" if count < named else ""
    return f"{count:,} items fall under it now{others}" if count > 1 else f"1 item falls under it now{others}"


def show_holds(holds: Sequence["HoldAnswer"], terminal: Terminal, *, as_json: bool) -> None:
    """Show the holds."""
    if as_json:
        write_json(plain(holds))
        return
    if not holds:
        terminal.line("nothing is held")
        return
    header = ["hold", "storage", "datasets", "items", "from (UTC)", "to (UTC)", "reason", "by", "placed", "released"]
    rows = [
        [
            *(
                each.id,
                each.storage or "all",
                SKIPPED if each.items else each.dataset or "all",
                _items(each.items) if each.items else "all",
                moment(each.start),
                moment(each.end),
                each.reason,
                each.by,
            ),
            *(moment(each.at), moment(each.released_at)),
        ]
        for each in holds
    ]
    terminal.table(header, rows, ["<"] * len(header))
