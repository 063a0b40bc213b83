"""
The text of a refusal.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .instance import Call

FIELD = re.compile(r"\{(\w+)\}")


def worded(template: str, call: Call, reason: str = "") -> str:
    """
    A message of replies.yaml with what a call is about filled in; what a client sent is never a template.
    """
    fields = {"instance": call.instance, "workflow": call.workflow, "event": call.event, "reason": reason}
    return FIELD.sub(lambda match: fields.get(match[1], match[0]), template)
