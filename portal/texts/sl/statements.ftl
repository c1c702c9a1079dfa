# Izpiski in neprepoznana plačila.
