"""Reports of evaluations and runs: one page that opens offline, and figures for papers."""
