"""
What is checked: one YAML file a story, its path is its name.
"""
