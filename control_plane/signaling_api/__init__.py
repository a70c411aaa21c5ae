"""What data planes call (Data Plane Signaling, control plane's side): call-backs, agreements, registrations."""
