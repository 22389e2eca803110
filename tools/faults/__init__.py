"""Faults that users meet: corrupted files, killed processes, full disks, long runs."""
