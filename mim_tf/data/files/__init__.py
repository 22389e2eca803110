"""Files of frames: arrays, images, videos, folders of them."""
