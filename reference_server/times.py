"""
Times in RFC 3339 as nanoseconds since the epoch.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

_FORM = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DIGITS = 9
_SECOND = 10**9


def nanoseconds(text: str) -> int | None:
    """
    The time, or None for what is none. Digits beyond the ninth are dropped.
    """
    found = _FORM.fullmatch(text)
    if found is None:
        return None
    whole, fraction, zone = found.groups()
    try:
        since = datetime.fromisoformat(whole + zone.replace("Z", "+00:00")) - _EPOCH
    except (ValueError, OverflowError):
        return None
    seconds: int = since.days * 86_400 + since.seconds
    return seconds * _SECOND + int((fraction or "0")[:_DIGITS].ljust(_DIGITS, "0"))
