"""The process that Blender talks to: JSON lines on stdin and stdout (protocol.py), one job at a time."""
