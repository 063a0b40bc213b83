"""
`python -m conformance` is `workflow-conformance`.
"""

from .cli import main

main()
