import bpy

gid = bpy.context.object.gid

gid.amplitude = 1.0
gid.speed = 1.0
gid.gain_low = 1.0
gid.gain_mid = 1.0
gid.gain_high = 1.0
gid.stiffness = 1
gid.damping = 1
gid.wind_strength = 0.6
gid.wind_gust = 0.5
