"""Measures of what the engine makes, beside simpler ways to make it; `gid evaluate SUBJECT`."""
