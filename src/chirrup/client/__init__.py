"""The SDK: clients, and what bots and components stand on.

- `client.client`: `Client`, a connection to an account.
- `client.entity`: what clients and components share: features, handlers, sending, asking; it stands on `client.session`
  (what comes in, what outlives a connection) and that on `client.life` (states, reconnection).
- `client.feature`: the interface that a feature's client half (ext/NAME/client.py) is written against.
- `client.stanzas`: `Message`, `Presence` and `IQ`, typed views of elements.
"""
