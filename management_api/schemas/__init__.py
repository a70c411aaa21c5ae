"""What goes in and comes out: pydantic models that check requests, shape answers and feed the documentation.

Requests are checked after `json_ld.read`, so their names here are the plain ones of EDC's namespace.
"""
