import bpy

gid = bpy.context.object.gid

gid.amplitude = 0.7
gid.speed = 0.8
gid.gain_low = 1.0
gid.gain_mid = 0.8
gid.gain_high = 0.6
gid.stiffness = 1
gid.damping = 1
gid.wind_strength = 0.2
gid.wind_gust = 0.3
