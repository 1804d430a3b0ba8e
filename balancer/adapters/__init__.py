"""The edges: the only places with foreign types, network or disk. Each implements ports of the core."""
