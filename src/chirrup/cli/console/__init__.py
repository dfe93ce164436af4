"""`chirrup console`: stanzas by hand, seen as they come and go."""
