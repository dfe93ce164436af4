"""The schema's history: one file in `versions` a step, never changed once released."""
