"""Public tables: what each is, and one small function from a row to a case per task that it serves.

A module names a table and its adapters. No library of the hub is known here: a row is plain values.
"""
