# Statements and suspense.
