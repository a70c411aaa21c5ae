"""What the ports of the control plane are made of: stores in memory and in SQL."""
