"""What a column shows part by part is what it shows as a whole; order and difference hold beyond memory."""

import gzip
import io
import math
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sparkhu.errors import InputError, SparkhuError
from sparkhu.sources.contents import Content
from sparkhu.sources.distinct import all_differ, has_several
from sparkhu.sources.encodings import Utf8
from sparkhu.sources.json_lines import lines_of
from sparkhu.sources.ordering import in_order
from sparkhu.sources.parts import Column, KeptPart, PartSize, Scratch, SpilledPart
from sparkhu.sources.signs import Signs, present
from sparkhu.sources.slices import write_slices
from sparkhu.sources.times import SAMPLE, find_time_reading, share_of_times
from sparkhu.sources.values import file_spans, find_notations, share_of_numbers
from tests.sparkhu.sources.test_encodings import to_utf8

FEW = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
NUMBERS = st.sampled_from(["1", "1.5", "1,5", "1,010", "1,234.5", "1.234,5", "0,5", "x", "", "NA", None, "1e3", "inf"])
TIMES = st.sampled_from(["2024-01-01", "13/01/2024", "01/13/2024", "1/2/2024", "2024", "x", "", None, "1704067200"])
CUTS = st.lists(st.integers(0, 12), max_size=4)


def parted(column: pl.Series, cuts: list[int]) -> Column:
    bounds = sorted({0, len(column), *(min(cut, len(column)) for cut in cuts)})
    spans = list(pairwise(bounds)) or [(0, 0)]

    def scan() -> Iterator[pl.Series]:
        return (column.slice(start, end - start) for start, end in spans)

    return Column(column.name, column.dtype, scan)


def outcome(find, *args, **kwargs):
    try:
        return find(*args, **kwargs)
    except InputError as error:
        return str(error)


@FEW
@given(st.lists(NUMBERS, max_size=12), CUTS)
def test_evidence_of_numbers_adds_up(cells, cuts):
    column = pl.Series("y", cells, dtype=pl.String)
    whole, found = Signs.of(present(column)), Signs()
    for part in parted(column, cuts).scan():
        found = found.merged(Signs.of(present(part)))
    assert found == whole
    assert share_of_numbers(parted(column, cuts)) == share_of_numbers(column)


@FEW
@given(st.lists(st.lists(NUMBERS, max_size=5), min_size=1, max_size=4), CUTS)
def test_signs_of_files_are_found_across_parts(files, cuts):
    column = pl.Series("y", [cell for cells in files for cell in cells], dtype=pl.String)
    lengths = [len(cells) for cells in files]
    assert outcome(find_notations, parted(column, cuts), lengths) == outcome(find_notations, column, lengths)


def test_files_of_a_stretch_are_found_by_their_lengths():
    # Rows 0-2, none, 3-4 and 5-8 belong to the files; rows 2-5 are the last of the first and the first of the last.
    assert file_spans([3, 0, 2, 4], start=2, rows=4) == [(0, 0, 1), (2, 1, 2), (3, 3, 1)]
    assert find_notations(pl.Series(["1,5", "2.5"]), [1, 1]) == ("1,5", "1.5")


@FEW
@given(st.lists(TIMES, max_size=12), CUTS, st.booleans())
def test_evidence_of_times_adds_up(cells, cuts, numbers):
    column = pl.Series("ds", cells, dtype=pl.String)
    assert outcome(find_time_reading, parted(column, cuts)) == outcome(find_time_reading, column)
    assert share_of_times(parted(column, cuts), numbers=numbers) == share_of_times(column, numbers=numbers)


@pytest.mark.parametrize("rows", [SAMPLE - 1, 2 * SAMPLE, 3 * SAMPLE + 7])
def test_the_sample_of_a_long_column_is_every_nth_cell_whatever_the_parts(rows):
    cells = ["2024-01-01" if n % 3 else ("" if n % 7 else "x") for n in range(rows)]
    column = pl.Series("ds", cells)
    filled = [cell for cell in cells if cell]
    sample = filled[:: max(1, len(filled) // SAMPLE)]
    share = sum(cell != "x" for cell in sample) / len(sample)
    for cuts in ([], [1, 5, rows // 3, rows // 2 + 1]):
        assert share_of_times(parted(column, cuts), numbers=True) == share


@FEW
@given(st.lists(st.sampled_from(["1", "2", "3", "10", "x", None]), max_size=8), CUTS)
def test_cells_differ_across_parts(cells, cuts):
    column = pl.Series("id", cells, dtype=pl.String)
    expected = len(cells) > 1 and len(set(cells)) == len(cells)
    assert all_differ(parted(column, cuts)) == expected
    assert all_differ(parted(column, cuts), at_once=2) == expected
    assert has_several(parted(column, cuts)) == (len(set(cells)) > 1)


@pytest.mark.parametrize(("cells", "differ"), [(["1", "2", "3", "4"], True), (["2", "3", "1", "2"], False)])
def test_numbers_that_rise_in_each_part_alone_are_compared(cells, differ):
    assert all_differ(parted(pl.Series("id", cells), [2])) == differ
    assert all_differ(parted(pl.Series("id", [int(cell) for cell in cells]), [2])) == differ


@FEW
@given(
    st.lists(
        st.tuples(
            st.sampled_from([None, "a", "b", "é", "z"]),
            st.sampled_from([None, 1.0, -1.0, math.nan, math.inf]),
            st.sampled_from([None, True, False]),
        ),
        max_size=40,
    ),
    st.integers(1, 7),
)
def test_parts_on_disk_are_brought_into_the_order_that_polars_gives(tmp_path, rows, size):
    schema = {"a": pl.String(), "b": pl.Float64(), "c": pl.Boolean()}
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    scratch = Scratch(tmp_path, PartSize(kept=0))
    parts = [scratch.write(frame.slice(start, size)) for start in range(0, max(len(rows), 1), size)]
    ordered = in_order(parts, schema, scratch)
    found = pl.concat([part.load(list(schema)) for part in ordered] or [frame.clear()])
    assert found.equals(frame.sort(list(schema)))
    assert pl.concat(part.load(list(schema)) for part in in_order([KeptPart(frame)], schema, scratch)).equals(found)


def test_slices_are_read_one_by_one_and_a_lost_file_is_named(tmp_path):
    frame = pl.DataFrame({"a": ["x", "y", "z"]})
    file = write_slices(tmp_path / "slices", [frame.head(1), frame.clear(), frame.tail(2)])
    assert [file.read(number)["a"].to_list() for number in range(3)] == [["x"], [], ["y", "z"]]
    assert file.only(2).read(0)["a"].to_list() == ["y", "z"]
    assert file.only(1).read(0).schema == frame.schema
    (tmp_path / "slices").write_bytes(b"broken")
    with pytest.raises(SparkhuError, match=r"the scratch file '.*slices' cannot be read: .* Run the step again"):
        file.read(0)


def test_a_scratch_file_that_is_gone_is_named(tmp_path):
    part = SpilledPart(tmp_path / "gone", 1, {"a": pl.String()})
    with pytest.raises(SparkhuError, match=r"the scratch file '.*gone' is missing on .* where the driver has it"):
        part.load(["a"])


def test_a_scratch_file_that_is_damaged_is_named(tmp_path):
    (tmp_path / "half").write_bytes(b"ARROW1")
    with pytest.raises(SparkhuError, match=r"the scratch file '.*half' cannot be read: .* Run the step again"):
        SpilledPart(tmp_path / "half", 1, {"a": pl.String()}).load(["a"])


def test_parts_stay_in_memory_while_they_are_few_and_small_ones_are_put_together(tmp_path):
    frame = pl.DataFrame({"a": ["some text that is not short"] * 10})
    for folder, kept, kinds in ((None, 0, {KeptPart}), (tmp_path, 10**6, {KeptPart}), (tmp_path, 600, {SpilledPart})):
        parts = Scratch(folder, PartSize(rows=25, kept=kept)).parts()
        for _ in range(6):
            parts.add(frame)
        found = parts.finished()
        assert {type(part) for part in found} == kinds
        assert sum(part.rows for part in found) == 60
        if kinds == {KeptPart}:
            assert [part.rows for part in found] == [20, 20, 20]


def read(data: bytes, size: int) -> tuple[bytes, Content]:
    content = Content("a.gz", lambda: io.BytesIO(data), "a.gz")
    return b"".join(content.chunks(size)), content


@pytest.mark.parametrize("size", [1, 2, 3, 50, 10_000])
def test_gzip_of_several_members_is_unpacked_as_it_passes(size):
    text = b"time,value\n" * 300
    data = gzip.compress(text[:1000]) + gzip.compress(text[1000:]) + bytes(7)
    found, content = read(data, size)
    assert found == text
    assert (content.size, content.lines, content.packed) == (len(text), 300, True)


@pytest.mark.parametrize("size", [1, 7, 10_000])
@pytest.mark.parametrize("cut", [1, 8, 9, 20])
def test_gzip_that_ends_in_the_middle_is_refused(size, cut):
    with pytest.raises(InputError, match=r"'a.gz' cannot be read: .* Check that it is complete"):
        read(gzip.compress(b"time,value\n" * 300)[:-cut], size)


@FEW
@given(st.text(st.sampled_from("a가é\n"), max_size=30), st.binary(max_size=3), st.integers(1, 9), st.integers(0, 30),
       st.sampled_from(["", "cp949", "utf-8", "utf-16", "utf-16-le", "utf-7"]))  # fmt: skip
def test_text_cut_anywhere_is_decoded_or_refused_as_a_whole_is(text, junk, size, place, encoding):
    data = text.encode(encoding or "utf-8", errors="replace")
    data = data[:place] + junk + data[place:]

    def in_chunks() -> bytes:
        reader = Utf8("a.csv", encoding)
        return b"".join([*(reader.feed(data[at : at + size]) for at in range(0, len(data), size)), reader.finish()])

    assert outcome(in_chunks) == outcome(lambda: to_utf8(data, encoding)[0])


@FEW
@given(st.lists(st.sampled_from(["{}", "", " ", "x", "\u3000", "\r"]), max_size=10), st.integers(1, 5), st.booleans())
def test_blocks_of_lines_hold_every_line_but_those_at_the_end_that_are_blank(lines, size, ended):
    text = ("\n".join(lines) + ("\n" if ended else "")).encode()
    blocks = list(lines_of(text[at : at + size] for at in range(0, len(text), size)))
    expected = text.decode().rstrip().split("\n")
    found = [line for block in blocks for line in block.decode().split("\n")]
    assert [line.strip() for line in found or [""]] == [line.strip() for line in expected]
    assert all(block.strip() for block in blocks)


def test_an_unreadable_scratch_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(SparkhuError, match=r"the scratch folder '.*nowhere' cannot be written: .* make room there"):
        Scratch(tmp_path / "nowhere").write(pl.DataFrame({"a": [1]}))
