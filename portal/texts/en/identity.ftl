# Signing in, devices, sessions.
