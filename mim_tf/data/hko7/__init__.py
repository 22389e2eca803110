"""HKO-7: radar echoes of Hong Kong (Shi et al., 2017)."""
