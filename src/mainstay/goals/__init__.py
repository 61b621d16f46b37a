"""Goals: what is to be achieved is written down, and how is planned by an agent."""
