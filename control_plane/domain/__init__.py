"""Facts and rules of the control plane: frozen entities and tables of moves; no I/O, no framework."""
