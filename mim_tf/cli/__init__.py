"""The commands: one file each, which only wires."""
