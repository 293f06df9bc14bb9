"""What touches Blender's data: planes, materials, F-curves, sequences, the preview, jobs, versions (`compat`)."""
