"""A look inside trained networks: saturated gates, and memories over time."""
