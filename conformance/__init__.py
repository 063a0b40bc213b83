"""
How we check: the scenario runner of the Workflow API conformance kit.
"""
