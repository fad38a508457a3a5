"""Streams: shapes of data, each complete in one module, from a connector's page to the store."""
