import bpy

gid = bpy.context.object.gid

gid.amplitude = 1.5
gid.speed = 1.6
gid.gain_low = 0.9
gid.gain_mid = 1.3
gid.gain_high = 1.6
gid.stiffness = 1.2
gid.damping = 0.6
gid.wind_strength = 1.4
gid.wind_gust = 1.2
