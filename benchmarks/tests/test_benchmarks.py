"""
The figures and tables of the benchmarks; nothing is timed here.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def common() -> Iterator[Any]:
    place = Path(__file__).resolve().parents[1] / "common.py"
    found = importlib.util.spec_from_file_location("benchmarks_common", place)
    assert found is not None
    assert found.loader is not None
    module = sys.modules["benchmarks_common"] = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    yield module
    del sys.modules["benchmarks_common"]


def test_a_figure_is_the_median_with_its_range(common: Any) -> None:
    """
    A single disturbed run moves the range, not the figure.
    """
    seen = common.figure([1000.0, 1010.0, 9000.0])

    assert seen.text() == "1,010 [1,000-9,000]"


def test_a_ratio_compares_runs_in_pairs(common: Any) -> None:
    """
    What slows both of a pair down leaves the ratio alone.
    """
    seen = common.ratio([100, 50, 10], [200, 100, 20])

    assert seen == common.Figure(0.5, 0.5, 0.5)


def test_a_table_is_markdown(common: Any) -> None:
    """
    A head, a rule and the rows.
    """
    assert common.table(["a", "b"], [["1", "2"]]) == "| a | b |\n| --- | --- |\n| 1 | 2 |"


@pytest.mark.parametrize(
    ("answer", "whole"),
    [
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n", False),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{", False),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}", True),
        (b"HTTP/1.1 204 No Content\r\n\r\n", True),
    ],
)
def test_an_answer_is_whole_with_its_last_byte(common: Any, answer: bytes, whole: bool) -> None:  # noqa: FBT001 - a row of the table
    """
    A client that goes on before the last byte would pipeline.
    """
    assert common.whole(answer) is whole


def test_a_request_tells_its_length_unless_it_is_a_get(common: Any) -> None:
    """
    A request is what clients send: a body has a length, also an empty one.
    """
    assert common.request("GET", "/a").endswith(b"\r\nhost: 127.0.0.1\r\n\r\n")
    assert common.request("POST", "/a", b"{}").endswith(b"\r\ncontent-length: 2\r\n\r\n{}")
