"""The use cases: accept messages, copy objects, publish the marker, tell the control plane."""
