import bpy

gid = bpy.context.object.gid

gid.amplitude = 1.3
gid.speed = 0.5
gid.gain_low = 1.4
gid.gain_mid = 0.6
gid.gain_high = 0.2
gid.stiffness = 0.5
gid.damping = 2
gid.wind_strength = 0.4
gid.wind_gust = 0.4
