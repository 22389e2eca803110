"""What `mim inspect` does: recognise a path, open what it holds and read every value."""
