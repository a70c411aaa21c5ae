"""The receiving side of the Dataspace Protocol 2025-1: parse, authenticate, hand over, answer."""
