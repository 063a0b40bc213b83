"""
Servers that are wrong in one way: each breaks a rule, so that a check is seen to fail.

Rule 1: the server knows nothing of this; a fault is put around the data, the engine, the executor or the application.
Rule 2: which rule a fault breaks is data: that of the cell or of the row, or what mutants.yaml says.
"""
