"""Features, a folder each, named by what they do."""
