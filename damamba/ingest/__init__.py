"""From sources of sessions to one checked corpus."""
