"""What needs no Blender: the engine's process, job states, paths, controls → score, samples of the preview."""
