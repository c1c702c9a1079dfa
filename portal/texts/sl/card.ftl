# Stran kartice.
