"""The server: hosts, routing, delivery, accounts, and the interface that modules are written against."""
