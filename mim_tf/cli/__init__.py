"""The commands: one file each, which only wires.

A file defines its flags and has a `main`. What `main` runs is imported inside it: Keras and a
backend take seconds to import, and help or a mistyped flag need neither.
"""
