"""
Generated requests: what Schemathesis makes of the API document, with what a document cannot say put beside it.
"""
