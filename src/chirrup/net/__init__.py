"""The asyncio edge: listening, TLS, clocks."""
