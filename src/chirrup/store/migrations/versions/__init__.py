"""Numbered from 0001; `schema.SCHEMA` names the newest."""
