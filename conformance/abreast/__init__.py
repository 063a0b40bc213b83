"""
The same walk on two servers, side by side.
"""
