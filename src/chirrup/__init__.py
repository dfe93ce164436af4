"""XMPP for Python, whole: a server, a client SDK and what goes between them."""

__version__ = "0.1.0"
