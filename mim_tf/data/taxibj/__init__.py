"""TaxiBJ, and other cities in its format."""

from mim_tf.data.taxibj.source import open_taxibj, taxibj_frame_shape

__all__ = ["open_taxibj", "taxibj_frame_shape"]
