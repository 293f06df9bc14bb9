import bpy

gid = bpy.context.object.gid

gid.amplitude = 0.4
gid.speed = 0.7
gid.gain_low = 1.2
gid.gain_mid = 0.6
gid.gain_high = 0.3
gid.stiffness = 1
gid.damping = 1
gid.wind_strength = 0
gid.wind_gust = 0.3
