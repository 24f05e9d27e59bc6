"""Turns text into unit vectors.

Nothing is imported here: each encoder's module imports its own library, and is imported by name
when it is asked for.
"""
