"""What both ends of a stream share: no I/O, no clock, no randomness; the standard library and expat only."""
