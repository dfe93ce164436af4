"""What changes a stream while it is negotiated: one file a feature, both ends in it."""
