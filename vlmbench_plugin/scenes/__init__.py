"""Seeded drawing: a scene is exact geometry plus a pure closure that renders it."""
