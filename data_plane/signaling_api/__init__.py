"""The HTTP edge: Data Plane Signaling for the control plane, health for operators."""
