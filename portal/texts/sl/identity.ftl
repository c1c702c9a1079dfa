# Prijava, naprave, seje.
