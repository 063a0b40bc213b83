"""
What a run found, told to people and machines: each module is a fold over the events of the record.
"""
