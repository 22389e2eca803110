import sys
from pathlib import Path

# The oracle of the network is made of those of the layers.
sys.path.append(str(Path(__file__).parents[1] / "layers"))
