"""A pytest plugin and benchmark suite for zero-shot image-to-JSON labelling with Qwen VLMs."""

__version__ = "0.1.0"
