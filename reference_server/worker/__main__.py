"""
`python -P -m reference_server.worker`.
"""

import sys

from .cli import main

sys.exit(main())
