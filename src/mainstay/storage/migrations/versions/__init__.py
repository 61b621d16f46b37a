"""One file a migration; they never change once they are released."""
