"""The commands, a file for each.

A file declares its flags and has a `main`, which checks paths and imports what it runs: Keras and
its backend take seconds to import, and help, a mistyped flag or a wrong path need neither.
"""
