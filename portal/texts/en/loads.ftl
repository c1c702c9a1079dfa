# Loads.
