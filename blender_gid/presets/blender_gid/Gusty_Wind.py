import bpy

gid = bpy.context.object.gid

gid.amplitude = 1.2
gid.speed = 1.1
gid.gain_low = 1.0
gid.gain_mid = 1.1
gid.gain_high = 1.2
gid.stiffness = 1
gid.damping = 0.8
gid.wind_strength = 0.9
gid.wind_gust = 1.0
