import bpy

gid = bpy.context.object.gid

gid.amplitude = 0.8
gid.speed = 1.6
gid.gain_low = 0.5
gid.gain_mid = 1.0
gid.gain_high = 1.8
gid.stiffness = 2
gid.damping = 2
gid.wind_strength = 0.3
gid.wind_gust = 1.2
