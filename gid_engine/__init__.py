"""Generative Image Dynamics engine: a still photo, the ways it can move, and its frames. Never imports bpy."""

__version__ = "0.1.0"
