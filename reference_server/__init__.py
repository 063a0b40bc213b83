"""
One server that is true to the spec: the workflow management API without Docker.

Rule 1: no decision is made here; each is a cell of machine.yaml, a row of replies.yaml or the OpenAPI document.
Rule 2: the engine knows no clock, no chance and no I/O; `assembly` is the only place that builds things.
"""
