"""The rules of agents: their lives, turns, conversations, budgets and protection."""
