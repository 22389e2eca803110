"""SEVIR: storm events seen by radar and satellite (Veillette et al., 2020)."""
