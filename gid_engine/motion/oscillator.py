"""The damped oscillator q̈ + 2ζω q̇ + ω² q = u in closed form: exact at any time and for any step.

GID §6 integrates it by Euler steps, which explode at low frame rates; these forms need no history, so that any
frame can be computed alone. All arguments broadcast; ω in rad/s, t in seconds, ζ ≥ 0.
"""

from __future__ import annotations

import numpy as np


def _cosine_sine(omega, zeta, t):
    """e^{−ζωt}·cos(ω_d t) and e^{−ζωt}·sin(ω_d t)/ω_d, continued through ζ = 1 to cosh and sinh."""
    omega, zeta, t = np.broadcast_arrays(*(np.asarray(a, np.float64) for a in (omega, zeta, t)))
    omega_d = omega * np.sqrt(np.abs(1 - zeta * zeta))
    # Near ζ = 1 the sine over ω_d loses its digits: there, the limit of both is exact enough.
    critical = omega_d * np.maximum(np.abs(t), 1e-12) < 1e-6
    safe = np.where(critical, 1.0, omega_d)
    decay = np.exp(-zeta * omega * t)
    cosine, sine = decay * np.cos(omega_d * t), decay * np.sin(omega_d * t) / safe
    over = (zeta > 1) & ~critical
    if over.any():
        # Two decaying exponentials; written so that cosh and sinh can't overflow against the decay.
        slow, fast = np.exp((omega_d - zeta * omega) * t), np.exp(-(omega_d + zeta * omega) * t)
        cosine, sine = (
            np.where(over, (slow + fast) / 2, cosine),
            np.where(over, (slow - fast) / 2 / safe, sine),
        )
    return np.where(critical, decay, cosine), np.where(critical, decay * t, sine)


def impulse_response(omega, zeta, t):
    """q(t) after a unit impulse at t = 0 from rest: e^{−ζωt} sin(ω_d t)/ω_d; 0 for t < 0."""
    t = np.asarray(t, np.float64)
    return np.where(t > 0, _cosine_sine(omega, zeta, np.maximum(t, 0))[1], 0.0)


def release_response(omega, zeta, t):
    """q(t) after a release at t = 0 from q = 1 at rest: e^{−ζωt}(cos ω_d t + ζω/ω_d sin ω_d t); 1 for t < 0."""
    t = np.asarray(t, np.float64)
    cosine, sine = _cosine_sine(omega, zeta, np.maximum(t, 0))
    return np.where(t > 0, cosine + np.asarray(zeta) * omega * sine, 1.0)


def step(q, v, omega, zeta, h, u=0.0):
    """(q, v) after the time h under a constant force u: exact, stable for every h (|eigenvalue| = e^{−ζωh})."""
    cosine, sine = _cosine_sine(omega, zeta, h)
    rest = u / np.square(omega)
    p = q - rest
    damp = zeta * omega * sine
    return rest + p * (cosine + damp) + v * sine, v * (cosine - damp) - p * np.square(omega) * sine


def frequency_response(omega, zeta, drive):
    """Complex steady-state response to a drive at `drive` rad/s, over the static one: ω²/(ω² − ν² + 2iζων)."""
    omega = np.asarray(omega, np.float64)
    return omega**2 / (omega**2 - np.square(drive) + 2j * zeta * omega * drive)
