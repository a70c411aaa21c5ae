"""The benchmark runs from end to end, in seconds."""
