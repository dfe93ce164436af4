"""Client libraries under measurement: each is a program of its own, so that it can run in an interpreter of its own.

    python -m bench.libraries.with_LIBRARY PORT messages COUNT    answers so many messages, and prints what that cost
    python -m bench.libraries.with_LIBRARY PORT idle COUNT        logs so many accounts in, and prints what each takes
                                                                  of memory

A program prints "ready", waits for a line, works, and prints a JSON object.
"""
