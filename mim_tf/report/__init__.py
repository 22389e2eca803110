"""What an evaluation or a run looks like: one page that opens offline, and figures for papers."""
