from __future__ import annotations

import pytest

from reference_server.times import nanoseconds

SECOND = 1_000_000_000


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T00:00:01.5Z", 1_500_000_000),
        ("1970-01-01T02:00:00+02:00", 0),
        ("1969-12-31T23:59:59Z", -SECOND),
        ("2009-11-10T23:00:00.123456789123Z", 1_257_894_000_123_456_789),
        ("9999-12-31T23:59:59.999999999Z", 253_402_300_799_999_999_999),
    ],
)
def test_a_time_is_read(text: str, time: int) -> None:
    """
    With a fraction, a zone, before the epoch, and far away.
    """
    assert nanoseconds(text) == time


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2009-11-10",
        "2009-11-10T23:00:00",
        "2009-13-10T23:00:00Z",
        "2009-11-10T25:00:00Z",
        "x" * 100,
        "0001-01-01T00:00:00+99:99",
        "2009-11-10t23:00:00z",
        "٢٠٠٩-11-10T23:00:00Z",
        "2009-11-10T23:00:00.Z",
    ],
)
def test_what_is_no_time_is_none(text: str) -> None:
    """
    Anything but RFC 3339 in full is no time, and never an error.
    """
    assert nanoseconds(text) is None
