"""Tiny tables with the features of the hub's and pictures of our own, for ``fixtures/hub``.

Each module has ``TABLES``, path below ``fixtures/hub`` -> builder of a ``datasets.Dataset``, and
may have ``FILES``, path -> text. ``python -m tools.hub_fixtures`` writes them all.
"""
