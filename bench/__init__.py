"""How fast: server CPU time per unit of work, side by side with the servers that people would pick instead."""
