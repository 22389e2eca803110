"""What a data or weights file holds, and whether it is sound."""
