"""Reading plan files and saying everything that is wrong with them at once, with its place."""
