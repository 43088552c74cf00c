"""Metrics rows -> text for people and programs. Returns text; writes and prints nothing."""
