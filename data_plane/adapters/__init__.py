"""One technology each: Azure Blob Storage, SQL, memory, HTTP."""
