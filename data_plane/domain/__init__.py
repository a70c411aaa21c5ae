"""Facts and rules of a data flow: no I/O, no framework."""
