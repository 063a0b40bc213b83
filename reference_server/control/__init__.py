"""
`/__control/`: what the server was asked on every surface, its clock, what it does wrongly; for whoever tests with it.

Rule 1: the server knows nothing of this; it is put around the application and the methods, and only where it is asked
for.
Rule 2: it answers callers on this machine and nobody else.
Rule 3: memory is bounded: the oldest exchanges go first, and their number is told.
"""
