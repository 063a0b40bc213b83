"""
Random walks: operations drawn by chance, an oracle that holds every state an instance may be in, and short reports.
"""
