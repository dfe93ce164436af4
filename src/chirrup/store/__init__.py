"""Durable state: accounts, values, maps and logs in SQLite or PostgreSQL, behind a group-commit writer."""

from sqlalchemy import Connection

from chirrup.store.accounts import AccountExists, AccountInfo, Accounts
from chirrup.store.logs import Entry, Log
from chirrup.store.maps import Map
from chirrup.store.queue import Health
from chirrup.store.store import Store
from chirrup.store.values import Value

__all__ = [
    "AccountExists",
    "AccountInfo",
    "Accounts",
    "Connection",
    "Entry",
    "Health",
    "Log",
    "Map",
    "Store",
    "Value",
]
