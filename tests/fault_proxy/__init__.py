"""A proxy in front of a storage service that breaks the requests that a test names, and counts all of them."""

from tests.fault_proxy.proxy import FaultProxy, Injection, fault_proxy
from tests.fault_proxy.storage_request import Recorded, StorageRequest

__all__ = ["FaultProxy", "Injection", "Recorded", "StorageRequest", "fault_proxy"]
