"""TaxiBJ, and other cities in its format."""

from mim_tf.data.taxibj.source import open_taxibj
from mim_tf.data.taxibj.synthetic_city import write_taxibj

__all__ = ["open_taxibj", "write_taxibj"]
