import pytest

from sparkhu.report.graph import draw_graph, parents_of, place
from tests.sparkhu.report.fake_results import STEPS

DIAMOND = [
    {"step": "a", "inputs": []},
    {"step": "b", "inputs": ["a"]},
    {"step": "c", "inputs": ["a"]},
    {"step": "d", "inputs": ["a", "b", "c", "unknown"]},
]


def test_an_input_that_another_input_stands_on_is_no_line_of_its_own() -> None:
    assert parents_of(DIAMOND) == [(), (0,), (0,), (1, 2)]


def test_branches_get_lanes_of_their_own_and_join_again() -> None:
    # b cannot take a's lane, which c still needs; c is the last to need it; d takes the leftmost of b's and c's.
    assert [node.lane for node in place(parents_of(DIAMOND))] == [0, 1, 0, 0]


def test_a_chain_stays_in_one_lane() -> None:
    chain = [{"step": str(n), "inputs": [str(n - 1)]} for n in range(5)]
    assert [node.lane for node in place(parents_of(chain))] == [0] * 5


def test_no_line_runs_through_the_dot_of_another_step() -> None:
    nodes = place(parents_of([{"step": step, "inputs": inputs} for step, _, inputs in STEPS]))
    for node in nodes:
        for parent in (nodes[line] for line in node.parents):
            between = nodes[parent.line + 1 : node.line]
            assert all(other.lane != parent.lane for other in between), (parent, node)


def test_bars_stand_where_the_steps_ran() -> None:
    # The run takes 4 s: a runs from 0 s for 1 s, b from 1 s for 3 s.
    history = [
        {"step": "a", "started": "2026-01-01T00:00:00+00:00", "seconds": 1.0},
        {"step": "b", "started": "2026-01-01T00:00:01+00:00", "seconds": 3.0, "inputs": ["a"]},
    ]
    drawn = draw_graph(history)
    assert "left:0.00%;width:25.00%" in drawn
    assert "left:25.00%;width:75.00%" in drawn


def test_steps_without_a_start_all_begin_at_the_left() -> None:
    drawn = draw_graph([{"step": "a", "seconds": 1.0}, {"step": "b", "seconds": 2.0}])
    assert drawn.count("left:0.00%") == 2


@pytest.mark.parametrize(
    ("record", "mark"),
    [
        ({"status": "failed"}, 'class="bad">failed</b>'),
        ({"series_failed": 2}, 'class="bad">2 series failed</b>'),
        ({"series_skipped": 1}, 'class="warn">1 series skipped</b>'),
    ],
)
def test_trouble_is_marked(record: dict[str, object], mark: str) -> None:
    assert mark in draw_graph([{"step": "a", **record}])


def test_names_of_steps_are_escaped() -> None:
    assert "<b>x" not in draw_graph([{"step": "<b>x</b>", "inputs": ["<b>x</b>"]}])


def test_a_bar_ends_at_the_latest_where_a_step_that_read_its_result_began() -> None:
    # Two groups took 3 s each, side by side: b began after 3 s and took 1 s, so the run took 4 s.
    history = [
        {"step": "a", "started": "2026-01-01T00:00:00+00:00", "seconds": 6.0},
        {"step": "b", "started": "2026-01-01T00:00:03+00:00", "seconds": 1.0, "inputs": ["a"]},
    ]
    drawn = draw_graph(history)
    assert "left:0.00%;width:75.00%" in drawn
    assert "left:75.00%;width:25.00%" in drawn
