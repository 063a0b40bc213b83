"""
The clock of a walk over a network: real time, that never goes back.
"""

from __future__ import annotations

import time


class Steady:
    """
    Tells the time, and lets it pass.
    """

    @staticmethod
    def now() -> float:
        """
        Seconds since some moment.
        """
        return time.monotonic()

    @staticmethod
    def pause(seconds: float) -> None:
        """
        Let so much time pass.
        """
        time.sleep(seconds)
