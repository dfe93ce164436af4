"""Accounts with all that is theirs, taken out of one server and into another: `chirrup export` and `chirrup import`.

The format is XEP-0227 version 1.1. `documents` reads it, `prosody` what Prosody keeps on disk (with `lua`), both as the
`events` that `importing` works on; `exporting` writes it. What is in an account, its modules know
(`chirrup.server.transfer`)."""
