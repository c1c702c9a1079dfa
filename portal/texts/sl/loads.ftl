# Polnjenje kartice.
