"""One-to-one conversations: RFC 6121 §5."""
