"""Per-item measures: pure functions on plain values, each held against an independent reference."""
