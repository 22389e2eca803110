"""The commands: one file for each, or for a few small ones.

A file declares flags, checks paths and imports what it runs. Keras and its backend take seconds
to import, and help, a mistyped flag or a wrong path need neither.
"""
