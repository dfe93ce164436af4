"""Client libraries under measurement: each is a script of its own, so that it can run in an interpreter of its own.

    python with_LIBRARY.py PORT messages COUNT    answers so many messages, and prints what that cost
    python with_LIBRARY.py PORT idle COUNT        logs so many accounts in, and prints what each takes of memory

A script prints "ready", waits for a line, works, and prints a JSON object.
"""
