"""Presence: who is available, and who is told (RFC 6121 §4, and §8.5.3.1 on IQs between those who share none)."""
