"""
The kit's own worker: the built-in executor, for any sidecar.
"""
