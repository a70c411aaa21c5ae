"""What the services need from outside, as Protocols; each names its errors."""
